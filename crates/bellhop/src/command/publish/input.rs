//! Reading appointments: one JSON object in a file, or one a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use bellhop_model::limits::EVENT_BYTES_MAX;
use serde::de::IgnoredAny;
use tokio::sync::mpsc::Sender;

/// Most bytes of one appointment that are read; what is longer could not be published.
const APPOINTMENT_BYTES_MAX: usize = EVENT_BYTES_MAX;

/// One appointment, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// File and line, for messages.
    pub(super) place: String,
    /// The JSON text, or what is wrong.
    pub(super) text: Result<String, String>,
}

/// Reads every file in turn; blocks while the channel is full, and ends early when nobody listens any more.
pub(super) fn read_all(files: &[PathBuf], items: &Sender<Item>) {
    for file in files {
        let name = file.display().to_string();
        let is_heard = if file.as_path() == Path::new("-") {
            read(io::stdin().lock(), "standard input", items)
        } else {
            match File::open(file) {
                Ok(opened) => read(BufReader::new(opened), &name, items),
                Err(error) => {
                    let text = Err(format!("the file cannot be read: {error}"));
                    items.blocking_send(Item { place: name, text }).is_ok()
                }
            }
        };
        if !is_heard {
            return;
        }
    }
}

/// Reads one source; `false` when nobody listens any more.
///
/// A first line that is JSON by itself means one appointment a line. Otherwise the whole source is one appointment.
fn read(mut source: impl BufRead, name: &str, items: &Sender<Item>) -> bool {
    let mut number = 0;
    let first = loop {
        number += 1;
        match read_line(&mut source) {
            Ok(Some(Line::Text(line))) if line.trim_ascii().is_empty() => {}
            Ok(Some(line)) => break line,
            Ok(None) => return true,
            Err(error) => return report(items, name.to_owned(), &error),
        }
    };
    let is_one_a_line = match &first {
        Line::Text(line) => serde_json::from_slice::<IgnoredAny>(line).is_ok(),
        Line::TooLong => false,
    };
    if !is_one_a_line {
        return read_whole(source, first, name, items);
    }
    let mut line = first;
    loop {
        let is_heard =
            items.blocking_send(Item { place: format!("{name}:{number}"), text: text(line) }).is_ok();
        if !is_heard {
            return false;
        }
        line = loop {
            number += 1;
            match read_line(&mut source) {
                Ok(Some(Line::Text(line))) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => break line,
                Ok(None) => return true,
                Err(error) => return report(items, format!("{name}:{number}"), &error),
            }
        };
    }
}

/// Takes the rest of the source as one appointment, or, when that is no JSON either, names each line that is wrong.
fn read_whole(source: impl BufRead, first: Line, name: &str, items: &Sender<Item>) -> bool {
    let Line::Text(mut whole) = first else {
        return report(items, name.to_owned(), &too_long());
    };
    // One byte more than allowed tells "too long" from "just fits".
    match source.take(APPOINTMENT_BYTES_MAX as u64 + 1).read_to_end(&mut whole) {
        Ok(_) if APPOINTMENT_BYTES_MAX < whole.len() => report(items, name.to_owned(), &too_long()),
        Ok(_) => split_if_broken(whole, name, items),
        Err(error) => report(items, name.to_owned(), &error),
    }
}

/// One appointment over several lines; but where only the first line of an NDJSON file is broken, the other lines
/// are still appointments.
fn split_if_broken(whole: Vec<u8>, name: &str, items: &Sender<Item>) -> bool {
    let is_whole = serde_json::from_slice::<IgnoredAny>(&whole).is_ok();
    let lines: Vec<&[u8]> = whole.split(|byte| *byte == b'\n').collect();
    let has_whole_lines = lines.iter().any(|line| {
        line.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(line).is_ok()
    });
    if is_whole || !has_whole_lines {
        return items.blocking_send(Item { place: name.to_owned(), text: text(Line::Text(whole)) }).is_ok();
    }
    lines.iter().enumerate().filter(|(_, line)| !line.trim_ascii().is_empty()).all(|(index, line)| {
        let place = format!("{name}:{}", index + 1);
        items.blocking_send(Item { place, text: text(Line::Text(line.to_vec())) }).is_ok()
    })
}

enum Line {
    Text(Vec<u8>),
    TooLong,
}

/// Reads up to the next line's end without keeping more than an appointment may have.
fn read_line(source: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let bound = APPOINTMENT_BYTES_MAX as u64 + 1;
    if source.by_ref().take(bound).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == bound && line.last() != Some(&b'\n') {
        skip_line(source)?;
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(Line::Text(line)))
}

fn skip_line(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffered = source.fill_buf()?;
        let (used, is_end) = match buffered.iter().position(|byte| *byte == b'\n') {
            Some(position) => (position + 1, true),
            None => (buffered.len(), buffered.is_empty()),
        };
        source.consume(used);
        if is_end {
            return Ok(());
        }
    }
}

fn text(line: Line) -> Result<String, String> {
    match line {
        Line::Text(line) => String::from_utf8(line)
            .map_err(|error| format!("not UTF-8 (first wrong byte at {})", error.utf8_error().valid_up_to())),
        Line::TooLong => Err(too_long().to_string()),
    }
}

fn too_long() -> io::Error {
    io::Error::other(format!(
        "the appointment is longer than {APPOINTMENT_BYTES_MAX} bytes, which no event may be"
    ))
}

fn report(items: &Sender<Item>, place: String, error: &io::Error) -> bool {
    items.blocking_send(Item { place, text: Err(error.to_string()) }).is_ok()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn read_text(text: &[u8]) -> Vec<(String, Result<String, String>)> {
        let (sender, mut receiver) = mpsc::channel(100);
        read(text, "f", &sender);
        drop(sender);
        std::iter::from_fn(|| receiver.blocking_recv().map(|item| (item.place, item.text))).collect()
    }

    fn places(text: &[u8]) -> Vec<(String, bool)> {
        read_text(text).into_iter().map(|(place, text)| (place, text.is_ok())).collect()
    }

    #[test]
    fn one_object_over_several_lines_is_one_appointment() {
        let text = b"\n{\n  \"a\": 1\n}\n";
        assert_eq!(read_text(text), [("f".to_owned(), Ok("{\n  \"a\": 1\n}\n".to_owned()))]);
    }

    #[test]
    fn one_object_a_line_is_one_appointment_each_with_its_line() {
        let text = b"{\"a\":1}\n\n{\"a\":2}\nnonsense\n{\"a\":\xff}\n";
        let expected = [("f:1", true), ("f:3", true), ("f:4", true), ("f:5", false)];
        assert_eq!(places(text), expected.map(|(place, is_text)| (place.to_owned(), is_text)));
    }

    #[test]
    fn a_broken_first_line_does_not_swallow_the_others() {
        let text = b"{\"a\":\n{\"a\":2}\n{\"a\":3}\n";
        assert_eq!(places(text).len(), 3);
    }

    #[test]
    fn nothing_longer_than_an_event_is_kept() {
        let mut text = b"{\"a\":1}\n\"".to_vec();
        text.extend(vec![b'x'; APPOINTMENT_BYTES_MAX * 3]);
        text.extend(b"\"\n{\"a\":2}\n");
        let expected = [("f:1", true), ("f:2", false), ("f:3", true)];
        assert_eq!(places(&text), expected.map(|(place, is_text)| (place.to_owned(), is_text)));
        assert_eq!(places(&vec![b'x'; APPOINTMENT_BYTES_MAX * 3]), [("f".to_owned(), false)]);
    }
}
