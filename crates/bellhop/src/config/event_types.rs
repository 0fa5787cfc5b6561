//! The event types that are known beside those that are built in.

use std::fs::File;
use std::io::{self, Read as _};

use bellhop_model::Catalogue;
use bellhop_runtime::config::{Key, Settings};

/// Largest file that is read: more than the most types with usual samples take.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Reads section `[event_types]`.
pub(super) fn read_catalogue(settings: &mut Settings) -> Catalogue {
    let mut section = settings.section(
        "event_types",
        "What is told about event types, and which samples test events are made from. Events of other types are delivered all the same.",
    );
    let file = section.optional_text(
        Key {
            name: "file",
            meaning: "JSON file of event types that are known beside the five built in, or told of differently: a list of objects with `type`, `firesWhen`, `mind` (may be left out) and `sample`, an appointment with the patient, the task and the window whole.",
        },
        "/etc/bellhop/event-types.json",
    );
    let mut catalogue = Catalogue::built_in();
    if let Some(path) = file {
        let read = read_bounded(&path).map_err(|error| format!("`{path}` cannot be read: {error}"));
        let extended = read.and_then(|text| {
            catalogue.extend(&text).map_err(|error| format!("`{path}` is no catalogue: {error}"))
        });
        if let Err(problem) = extended {
            section.problem("file", problem);
        }
    }
    catalogue
}

fn read_bounded(path: &str) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if FILE_BYTES_MAX < length as u64 {
        let message = format!("it is larger than {FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}
