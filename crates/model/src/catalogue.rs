//! The event types that the platform is known to fire: when each fires, and a sample of its payload.
//!
//! The catalogue informs and gives samples; it does not decide. A well-formed type that is not in it is delivered like any
//! other, so that no release of ours is needed for a new one.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::limits::{CATALOGUE_TYPES_MAX, SAMPLE_BYTES_MAX};
use crate::{EventError, EventType, OrganisationId, Payload, PayloadLevel};

/// The five that the platform's guide tells of.
const BUILT_IN: &str = include_str!("../event-types.json");

/// Event types in the order in which they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    types: Vec<KnownEventType>,
}

/// An event type that the platform is known to fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEventType {
    /// The type.
    pub event_type: EventType,
    /// When it fires, in a sentence.
    pub fires_when: String,
    /// What a receiver has to mind, in a sentence; empty when there is nothing.
    pub mind: String,
    /// What its payload may look like.
    pub sample: Sample,
}

/// An appointment that never was, in its fullest form, as the platform would publish it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    text: String,
    /// Where the value of its `organisationId` stands.
    organisation: Range<usize>,
}

/// Why a text is no catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Not the JSON of a catalogue.
    #[error(
        "it is no list of event types: {problem}; each is `{{\"type\":…,\"firesWhen\":…,\"mind\":…,\"sample\":{{…}}}}`, where `mind` may be left out"
    )]
    Malformed {
        /// What the reader of JSON says, with line and column.
        problem: String,
    },
    /// More than [`CATALOGUE_TYPES_MAX`].
    #[error("it has {0} event types; at most {CATALOGUE_TYPES_MAX} are allowed")]
    TooMany(usize),
    /// One type has two entries.
    #[error("it has two entries for `{0}`")]
    Repeated(EventType),
    /// A sample that could not be sent.
    #[error("the sample of `{event_type}` cannot be sent: {problem}")]
    Sample {
        /// Whose sample.
        event_type: EventType,
        /// Why not.
        problem: EventError,
    },
    /// A sample that leaves no room for the rest of an event.
    #[error("the sample of `{0}` is larger than {SAMPLE_BYTES_MAX} bytes")]
    Oversized(EventType),
}

/// One entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    #[serde(rename = "type")]
    event_type: EventType,
    fires_when: String,
    #[serde(default)]
    mind: String,
    sample: Box<RawValue>,
}

impl Catalogue {
    /// The event types that the platform fires today.
    #[must_use]
    pub fn built_in() -> Self {
        let types = read(BUILT_IN).expect("the file beside this crate is a catalogue; a test reads it");
        Self { types }
    }

    /// Adds what an operator's file says. A type that is there already is told of as the file does.
    ///
    /// * `text`: JSON, of the form of the built-in catalogue.
    ///
    /// # Errors
    /// [`CatalogueError`]; nothing is added then.
    pub fn extend(&mut self, text: &str) -> Result<(), CatalogueError> {
        let mut types = self.types.clone();
        for added in read(text)? {
            match types.iter_mut().find(|known| known.event_type == added.event_type) {
                Some(known) => *known = added,
                None => types.push(added),
            }
        }
        if CATALOGUE_TYPES_MAX < types.len() {
            return Err(CatalogueError::TooMany(types.len()));
        }
        self.types = types;
        Ok(())
    }

    /// The types, in the order in which they are shown.
    #[must_use]
    pub fn types(&self) -> &[KnownEventType] {
        &self.types
    }

    /// What is known of a type; `None` when the platform is not known to fire it.
    #[must_use]
    pub fn find(&self, event_type: &EventType) -> Option<&KnownEventType> {
        self.types.iter().find(|known| known.event_type == *event_type)
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        Self::built_in()
    }
}

impl Sample {
    /// The appointment's JSON text, as if it were of an organisation.
    #[must_use]
    pub fn of(&self, organisation: &OrganisationId) -> String {
        let Range { start, end } = self.organisation;
        // An organisation's id needs no escapes.
        format!("{}\"{organisation}\"{}", &self.text[..start], &self.text[end..])
    }

    /// What a webhook of an organisation would be sent: `{"data":{…}}`.
    #[must_use]
    pub fn rendered(&self, organisation: &OrganisationId, level: PayloadLevel) -> String {
        let text = self.of(organisation);
        let (payload, _) = Payload::parse(&text).expect("it was read when it was taken in");
        payload.render(level)
    }

    fn read(event_type: &EventType, text: &str) -> Result<Self, CatalogueError> {
        if SAMPLE_BYTES_MAX < text.len() {
            return Err(CatalogueError::Oversized(event_type.clone()));
        }
        let refused = |problem| CatalogueError::Sample { event_type: event_type.clone(), problem };
        Payload::organisation_of(text).map_err(refused)?;
        let organisation = Payload::find_organisation(text).map_err(|error| refused(error.into()))?;
        Ok(Self { text: text.to_owned(), organisation })
    }
}

fn read(text: &str) -> Result<Vec<KnownEventType>, CatalogueError> {
    let written: Vec<Written> = serde_json::from_str(text)
        .map_err(|error| CatalogueError::Malformed { problem: error.to_string() })?;
    if CATALOGUE_TYPES_MAX < written.len() {
        return Err(CatalogueError::TooMany(written.len()));
    }
    let mut types: Vec<KnownEventType> = Vec::with_capacity(written.len());
    for Written { event_type, fires_when, mind, sample } in written {
        if types.iter().any(|known| known.event_type == event_type) {
            return Err(CatalogueError::Repeated(event_type));
        }
        let sample = Sample::read(&event_type, sample.get())?;
        types.push(KnownEventType { event_type, fires_when, mind, sample });
    }
    Ok(types)
}

#[cfg(test)]
mod tests;
