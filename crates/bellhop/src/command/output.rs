//! What commands that print have in common: text for people or JSON for scripts, moments, and who asks.

use bellhop_model::{Actor, parse_moment};
use clap::{Args, ValueEnum};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputArguments {
    /// text for people, json for scripts.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

/// Who asks.
#[derive(Debug, Clone, Args)]
pub(crate) struct ActorArguments {
    /// Who asks, for the record.
    #[arg(long, value_name = "NAME", env = "USER", default_value = "somebody at a command line")]
    pub(crate) by: Actor,
}

/// A moment as everything prints it.
pub(crate) fn moment(moment: OffsetDateTime) -> String {
    moment.format(&Rfc3339).unwrap_or_default()
}

/// A moment from microseconds since the epoch.
pub(crate) fn moment_of(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Reads a moment from an argument.
pub(crate) fn read_time(text: &str) -> Result<OffsetDateTime, String> {
    parse_moment(text).ok_or_else(|| "expected a time such as `2026-11-23T08:00:00Z`".to_owned())
}

/// What strangers wrote, so that a terminal shows it and obeys none of it.
pub(crate) fn harmless(text: &str) -> String {
    let shown = |letter: char| letter == '\n' || letter == '\t' || !letter.is_control();
    let escaped =
        |letter: char| if shown(letter) { letter.to_string() } else { letter.escape_debug().to_string() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_terminal_obeys_what_a_stranger_wrote() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\n\tZoë\u{9b}"), "a\\u{1b}[2Jb\\r\n\tZoë\\u{9b}");
    }
}
