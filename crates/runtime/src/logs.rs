//! Log lines on standard error, as text for people or JSON for machines.
//!
//! Only Bellhop's own targets may say more than warnings, whatever level is asked for. Libraries below that
//! level print what passes through them: AMQP frames, full URLs, SQL parameters; health data and credentials,
//! that is. Records of the `log` crate are not collected at all.

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt as lines};

use crate::config::{Key, Settings};

/// What the targets of our own crates begin with.
const OWN_TARGETS: &str = "bellhop";

/// lapin warns about each returned message and prints it whole: patients' names, phone numbers, addresses. It also calls
/// an orderly close an error. What matters of it reaches us as results, and is logged where they are handled.
const SILENT_TARGET: &str = "lapin";

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text per event, coloured on a terminal.
    Text,
    /// One JSON object per event and line.
    Json,
}

/// Which events are logged: a level, and levels of single targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevels {
    general: LevelFilter,
    targets: Vec<(String, LevelFilter)>,
}

/// A text that names no log levels.
#[derive(Debug, thiserror::Error)]
pub enum LogLevelsError {
    /// A level is none of the six words.
    #[error("`{0}` is not a level: off, error, warn, info, debug or trace")]
    Level(String),
    /// Two parts have no target.
    #[error("`{0}` is a second level without a target")]
    SecondGeneral(String),
    /// An `=` has nothing before it.
    #[error("`{0}` lacks a target before the `=`")]
    Target(String),
}

/// Why logging did not begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Something else in this process logs already.
    #[error("install the log: this process has one already")]
    Installed,
}

/// What is logged, and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How log lines look; `json` by default, for what collects the lines of a cluster.
    pub format: LogFormat,
    /// Which events are logged; `info` by default.
    pub levels: LogLevels,
}

impl LogConfig {
    /// Reads section `[logs]`.
    pub fn read(settings: &mut Settings) -> Self {
        let mut logs = settings.section("logs", "What every process writes to standard error.");
        let format = logs.choice(
            Key {
                name: "format",
                meaning: "How a line looks: a JSON object for machines, text for people. Text in a cluster \
                    cannot be searched by field; JSON on a terminal tires the eye.",
            },
            LogFormat::Json,
            &[("text", LogFormat::Text), ("json", LogFormat::Json)],
        );
        let levels = logs.parsed(
            Key {
                name: "levels",
                meaning: "What is worth a line. Too low hides why a delivery failed; too high costs a line \
                    per step of the hot path. Libraries never say more than warnings, since their lines may \
                    hold health data.",
            },
            "a level (off, error, warn, info, debug, trace), then targets: `info,bellhop_worker=debug`",
            LogLevels::default(),
        );
        Self { format, levels }
    }
}

impl Default for LogLevels {
    fn default() -> Self {
        Self { general: LevelFilter::INFO, targets: Vec::new() }
    }
}

impl FromStr for LogLevels {
    type Err = LogLevelsError;

    /// Parses `level`, `target=level` or several of them with commas between; without a general level it is
    /// `info`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut general = None;
        let mut targets = Vec::new();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                Some(("", _)) => return Err(LogLevelsError::Target(part.to_owned())),
                Some((target, word)) => targets.push((target.to_owned(), level(word)?)),
                None if general.is_some() => return Err(LogLevelsError::SecondGeneral(part.to_owned())),
                None => general = Some(level(part)?),
            }
        }
        Ok(Self { general: general.unwrap_or(LevelFilter::INFO), targets })
    }
}

impl fmt::Display for LogLevels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.general)?;
        self.targets.iter().try_for_each(|(target, level)| write!(formatter, ",{target}={level}"))
    }
}

impl LogLevels {
    fn filter(&self) -> Targets {
        Targets::new().with_default(self.general).with_targets(self.targets.clone())
    }
}

/// Begins to log to standard error, for the rest of the process.
///
/// # Errors
/// [`LogError::Installed`] when logging has begun before.
pub fn install(config: &LogConfig) -> Result<(), LogError> {
    let colour = if io::stderr().is_terminal() { Colour::Ansi } else { Colour::None };
    subscriber(config, colour, io::stderr).try_init().map_err(|_| LogError::Installed)
}

#[derive(Clone, Copy, PartialEq)]
enum Colour {
    Ansi,
    None,
}

fn subscriber<W>(config: &LogConfig, colour: Colour, writer: W) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = match config.format {
        LogFormat::Text => lines::layer().with_ansi(colour == Colour::Ansi).with_writer(writer).boxed(),
        LogFormat::Json => lines::layer().json().flatten_event(true).with_writer(writer).boxed(),
    };
    // Both filters must agree, so no directive of the operator, however specific, lifts the cap.
    Registry::default().with(lines.with_filter(config.levels.filter().and(cap_on_libraries())))
}

fn cap_on_libraries() -> Targets {
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target(OWN_TARGETS, LevelFilter::TRACE)
        .with_target(SILENT_TARGET, LevelFilter::OFF)
}

/// tracing's own parser also takes digits; a file that says `3` would not read as anything.
fn level(word: &str) -> Result<LevelFilter, LogLevelsError> {
    match word {
        "off" => Ok(LevelFilter::OFF),
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        other => Err(LogLevelsError::Level(other.to_owned())),
    }
}

#[cfg(test)]
mod tests;
