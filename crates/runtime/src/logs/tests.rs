//! What reaches the log, and above all what does not.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;

/// A log in memory.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn logged(format: LogFormat, levels: &str, events: impl FnOnce()) -> String {
    let config = LogConfig { format, levels: levels.parse().unwrap() };
    let page = Page::default();
    let writer = page.clone();
    tracing::subscriber::with_default(subscriber(&config, Colour::None, move || writer.clone()), events);
    page.text()
}

/// Logs the target's name at every level.
macro_rules! at_every_level {
    ($($target:literal),+) => {{ $(
        tracing::error!(target: $target, concat!($target, " at error"));
        tracing::warn!(target: $target, concat!($target, " at warn"));
        tracing::info!(target: $target, concat!($target, " at info"));
        tracing::debug!(target: $target, concat!($target, " at debug"));
        tracing::trace!(target: $target, concat!($target, " at trace"));
    )+ }};
}

fn libraries_talk() {
    at_every_level!(
        "lapin::channel",
        "hyper::proto",
        "hyper_util::client",
        "hyper_rustls",
        "rustls::client",
        "tokio_postgres",
        "redis::aio",
        "h2::codec",
        "hickory_resolver",
        "hickory_proto::xfer",
        "a_library_of_tomorrow"
    );
}

#[test]
fn returned_messages_are_never_logged() {
    let asked =
        ["trace", "lapin=trace", "lapin::returned_messages=trace", "trace,lapin::returned_messages=trace"];
    for levels in asked {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, levels, || at_every_level!("lapin::returned_messages"));
            assert_eq!(text, "", "with levels `{levels}`");
        }
    }
}

#[test]
fn libraries_say_no_more_than_warnings() {
    let asked =
        ["trace", "debug", "lapin=trace,hyper_util::client=debug,trace", "a_library_of_tomorrow=trace"];
    for levels in asked {
        let text = logged(LogFormat::Text, levels, libraries_talk);
        for quiet in ["at info", "at debug", "at trace"] {
            assert!(!text.contains(quiet), "with levels `{levels}`: {text}");
        }
        assert!(text.contains("a_library_of_tomorrow at warn"), "with levels `{levels}`: {text}");
    }
}

#[test]
fn our_own_crates_log_as_asked() {
    let cases = [
        ("trace", vec!["worker at trace", "sender at trace"], vec![]),
        ("info", vec!["worker at info", "sender at info"], vec!["at debug", "at trace"]),
        ("info,bellhop_worker=debug", vec!["worker at debug"], vec!["sender at debug", "worker at trace"]),
        ("bellhop_worker=debug", vec!["worker at debug", "sender at info"], vec!["sender at debug"]),
        ("off", vec![], vec!["at"]),
        ("off,bellhop_sender=error", vec!["sender at error"], vec!["worker", "sender at warn"]),
    ];
    for (levels, present, absent) in cases {
        let text = logged(LogFormat::Text, levels, || at_every_level!("bellhop_worker", "bellhop_sender"));
        for line in present {
            assert!(text.contains(line), "`{line}` with levels `{levels}`: {text}");
        }
        for line in absent {
            assert!(!text.contains(line), "`{line}` with levels `{levels}`: {text}");
        }
    }
}

#[test]
fn json_lines_carry_fields_beside_the_message() {
    let text = logged(LogFormat::Json, "info", || {
        tracing::info!(target: "bellhop_worker", { delivery.id = "d1" }, "delivered");
    });
    for part in
        ["\"message\":\"delivered\"", "\"delivery.id\":\"d1\"", "\"level\":\"INFO\"", "\"timestamp\":\"20"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn levels_are_parsed_and_written() {
    for text in ["info", "off", "trace", "warn,bellhop_worker=debug", "info,a=off,b::c=trace"] {
        assert_eq!(text.parse::<LogLevels>().unwrap().to_string(), text);
    }
    assert_eq!("a=warn".parse::<LogLevels>().unwrap().to_string(), "info,a=warn");
    assert_eq!(LogLevels::default().to_string(), "info");
}

#[test]
fn levels_that_say_nothing_are_refused() {
    for text in ["", "inof", "INFO", "3", "info,debug", "=info", "a=", "a=b", "info,", "bellhop_worker"] {
        assert!(text.parse::<LogLevels>().is_err(), "{text}");
    }
}
