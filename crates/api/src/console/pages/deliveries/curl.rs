//! A request as a command for a POSIX shell.

use std::fmt::Write as _;

/// Headers that curl makes itself.
const MADE_BY_CURL: [&str; 2] = ["host", "content-length"];

/// Puts the command together.
///
/// * `url`: where to; anything.
/// * `headers`: in order; anything but line ends, which no header has.
/// * `body`: given in the command itself, or by the name of a file that holds it.
pub(super) fn command(url: &str, headers: &[(&str, String)], body: Body<'_>) -> String {
    let mut command = format!("curl --globoff --request POST {}", quoted(url));
    for (name, value) in headers.iter().filter(|(name, _)| !MADE_BY_CURL.contains(name)) {
        // `name:` alone would have curl leave the header out.
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        write!(command, " \\\n  --header {}", quoted(&header)).expect("a string takes all");
    }
    let (option, data) = match body {
        Body::Inline(text) => ("--data-raw", quoted(text)),
        Body::File(name) => ("--data-binary", quoted(&format!("@{name}"))),
    };
    write!(command, " \\\n  {option} {data}").expect("a string takes all");
    command
}

/// Where a body comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body<'a> {
    /// It is part of the command.
    Inline(&'a str),
    /// It was saved under this name.
    File(&'a str),
}

/// One word for the shell, whatever is in it: between single quotes nothing but a single quote means anything.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What a shell hands to a program that prints its arguments, each on a line of its own, ended by a mark.
    fn words(command: &str) -> Vec<String> {
        let script = format!("curl() {{ for word; do printf '%s\\036' \"$word\"; done; }}\n{command}");
        let output = Command::new("sh").arg("-c").arg(script).output().expect("there is a shell");
        let text = String::from_utf8(output.stdout).expect("what was given is UTF-8");
        text.split_terminator('\u{1e}').map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_shell_takes_every_word_as_it_is() {
        let hostile = "it's $(touch /tmp/x) `id` \"$HOME\" \\ !! \n; rm -rf ~ #ü\u{202e}";
        let url = "https://hooks.example/a?b='$(id)'&c=[1-3]{x}";
        let headers = [
            ("host", "hooks.example".to_owned()),
            ("webhook-id", "evt_'\"$(id)`".to_owned()),
            ("webhook-signature", String::new()),
            ("content-length", "7".to_owned()),
        ];
        let command = command(url, &headers, Body::Inline(hostile));
        assert_eq!(
            words(&command),
            [
                "--globoff",
                "--request",
                "POST",
                url,
                "--header",
                "webhook-id: evt_'\"$(id)`",
                "--header",
                "webhook-signature;",
                "--data-raw",
                hostile,
            ]
        );
    }

    #[test]
    fn a_large_body_comes_from_a_file() {
        let command = command("https://hooks.example/", &[], Body::File("payload.json"));
        assert_eq!(words(&command)[4..], ["--data-binary", "@payload.json"]);
    }
}
