//! What an endpoint is sent: the appointment as published, with three objects collapsed unless expanded, or its id alone.
//!
//! Rendering cuts and joins the published text; nothing is parsed into a tree and printed again, so order, number
//! text, escapes, white space and fields nobody here has heard of arrive as they left.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{OrganisationId, PayloadLevel};

/// The objects that are sent as `{"id":…}` unless a webhook asks for them whole.
const COLLAPSIBLE: [&str; 3] = ["patient", "task", "window"];

/// Which objects of the payload a webhook wants whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Expansion {
    /// The patient: names, phone number, date of birth.
    pub patient: bool,
    /// The task.
    pub task: bool,
    /// The time window.
    pub window: bool,
}

/// A word that names no object that can be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be expanded: expected `patient`, `task` or `window`")]
pub struct ExpansionError(String);

/// An appointment as published, with the places that rendering needs.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    text: String,
    collapsible: Vec<Collapsible>,
    /// Where the value of the appointment's own `id` stands; absent unless it is one text.
    id: Option<Range<usize>>,
}

/// One occurrence of a collapsible object in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Collapsible {
    /// Index into [`COLLAPSIBLE`].
    kind: usize,
    /// Where the whole object stands.
    object: Range<usize>,
    /// Where the value of its `id` stands.
    id: Range<usize>,
}

/// Why a text cannot be an event's `data`. Never repeats a value: the text is health data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Not JSON, or not an object.
    #[error("`data` is not a JSON object (line {line}, column {column})")]
    NotAnObject {
        /// Line within `data`, from 1.
        line: usize,
        /// Column within that line.
        column: usize,
    },
    /// A collapsible object that cannot be collapsed without guessing.
    #[error("`data.{0}` is neither null nor an object with one `id` that is a string")]
    NotCollapsible(&'static str),
    /// No organisation to deliver for.
    #[error("`data.organisationId` is missing or not a string")]
    OrganisationMissing,
    /// Two members say whose the appointment is.
    #[error("`data.organisationId` occurs more than once")]
    OrganisationRepeated,
}

impl Payload {
    /// Reads an appointment and finds what rendering needs.
    ///
    /// * `text`: a JSON object, as published.
    /// * returns the payload and the text of its `organisationId`.
    ///
    /// # Errors
    /// [`PayloadError`] when it is no object, or an object in it could not be collapsed; what cannot be collapsed
    /// would be sent whole, to somebody who did not ask for it.
    pub(crate) fn parse(text: &str) -> Result<(Self, String), PayloadError> {
        let members: Members<'_> = serde_json::from_str(text)
            .map_err(|e| PayloadError::NotAnObject { line: e.line(), column: e.column() })?;
        let mut organisation = None;
        let mut ids = Vec::with_capacity(1);
        let mut collapsible = Vec::with_capacity(COLLAPSIBLE.len());
        for (name, value) in members.0 {
            if name == "organisationId" {
                let id = serde_json::from_str::<String>(value.get())
                    .map_err(|_| PayloadError::OrganisationMissing)?;
                if organisation.replace(id).is_some() {
                    return Err(PayloadError::OrganisationRepeated);
                }
            }
            if name == "id" {
                ids.push(value);
            }
            if let Some(kind) = COLLAPSIBLE.iter().position(|known| name == *known) {
                collapsible.extend(find_id(text, kind, value)?);
            }
        }
        let organisation = organisation.ok_or(PayloadError::OrganisationMissing)?;
        let id = match ids[..] {
            [id] if is_text(id) => Some(span(text, id.get())),
            _ => None,
        };
        Ok((Self { text: text.to_owned(), collapsible, id }, organisation))
    }

    /// Renders the body of a request: `{"data":{…}}`.
    ///
    /// * `level`: [`PayloadLevel::Full`] says which objects stay whole; the others become `{"id":…}` with the id's own
    ///   text. [`PayloadLevel::IdOnly`] leaves `{"id":…}` of the appointment, with the id's own text.
    /// * returns UTF-8 JSON, at most as long as the published text and `{"data":}`, or `{"data":{"id":null}}`.
    ///
    /// Who asked for the id alone is sent nothing else, whatever stands where the id should: of an appointment without
    /// an id, with two, or with one that is no text, the id is null.
    #[must_use]
    pub fn render(&self, level: PayloadLevel) -> String {
        match level {
            PayloadLevel::Full(expansion) => self.render_full(expansion),
            PayloadLevel::IdOnly => {
                let id = self.id.clone().map_or("null", |id| &self.text[id]);
                format!(r#"{{"data":{{"id":{id}}}}}"#)
            }
        }
    }

    fn render_full(&self, expansion: Expansion) -> String {
        let mut body = String::with_capacity(self.text.len() + r#"{"data":}"#.len());
        body.push_str(r#"{"data":"#);
        let mut copied = 0;
        for Collapsible { kind, object, id } in &self.collapsible {
            if expansion.covers(*kind) {
                continue;
            }
            body.push_str(&self.text[copied..object.start]);
            body.push_str(r#"{"id":"#);
            body.push_str(&self.text[id.clone()]);
            body.push('}');
            copied = object.end;
        }
        body.push_str(&self.text[copied..]);
        body.push('}');
        body
    }

    /// Where the value of `organisationId` stands in an appointment.
    ///
    /// # Errors
    /// [`PayloadError`] when the text is no appointment.
    pub(crate) fn find_organisation(text: &str) -> Result<Range<usize>, PayloadError> {
        Self::parse(text)?;
        let members: Members<'_> = serde_json::from_str(text).expect("it was read a line ago");
        let owner = members.0.iter().find(|(name, _)| name == "organisationId");
        let (_, value) = owner.expect("an appointment names its organisation");
        Ok(span(text, value.get()))
    }

    /// The organisation named inside an appointment that is about to be published.
    ///
    /// # Errors
    /// A sentence for the publisher when the text is no appointment.
    pub fn organisation_of(text: &str) -> Result<OrganisationId, crate::EventError> {
        let (_, organisation) = Self::parse(text)?;
        Ok(organisation.parse::<OrganisationId>()?)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.text.len())
    }
}

impl Expansion {
    /// The names of what is expanded, in the order of the guide.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        COLLAPSIBLE.into_iter().enumerate().filter(move |(kind, _)| self.covers(*kind)).map(|(_, name)| name)
    }

    /// Adds one object by name.
    ///
    /// # Errors
    /// [`ExpansionError`] when no object of that name can be expanded.
    pub fn add(&mut self, name: &str) -> Result<(), ExpansionError> {
        match name {
            "patient" => self.patient = true,
            "task" => self.task = true,
            "window" => self.window = true,
            _ => return Err(ExpansionError(name.chars().take(32).collect())),
        }
        Ok(())
    }

    fn covers(self, kind: usize) -> bool {
        [self.patient, self.task, self.window][kind]
    }
}

impl FromStr for Expansion {
    type Err = ExpansionError;

    /// Reads names separated by commas; the empty text expands nothing.
    fn from_str(text: &str) -> Result<Self, ExpansionError> {
        let mut expansion = Self::default();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            expansion.add(name)?;
        }
        Ok(expansion)
    }
}

/// The members of an object, in order, repeated names included.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(32);
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A member's name, borrowed unless it is written with escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Finds the `id` of a collapsible object; `None` when the value is null and there is nothing to collapse.
fn find_id(text: &str, kind: usize, value: &RawValue) -> Result<Option<Collapsible>, PayloadError> {
    let refused = || PayloadError::NotCollapsible(COLLAPSIBLE[kind]);
    if value.get() == "null" {
        return Ok(None);
    }
    let members: Members<'_> = serde_json::from_str(value.get()).map_err(|_| refused())?;
    let mut ids = members.0.iter().filter(|(name, _)| name == "id").map(|(_, id)| id);
    let (Some(id), None) = (ids.next(), ids.next()) else { return Err(refused()) };
    if !is_text(id) {
        return Err(refused());
    }
    Ok(Some(Collapsible { kind, object: span(text, value.get()), id: span(text, id.get()) }))
}

fn is_text(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// Where `part`, a slice of `whole`, stands in it.
fn span(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    assert!(start + part.len() <= whole.len(), "a raw value borrows from the text it was read from");
    start..start + part.len()
}

#[cfg(test)]
mod tests;
