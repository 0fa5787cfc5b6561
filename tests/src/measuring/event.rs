//! The events that are published: some 1.1 KB, each with an id that tells when it was published.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use bellhop_model::Mode;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

/// What the platform says about a scheduled appointment.
const FIXTURE: &str = include_str!("../../../crates/model/fixtures/appointment.scheduled.json");

/// The type of every event here.
pub const EVENT_TYPE: &str = "appointment.scheduled";

/// As large as the messages of earlier measurements.
const BODY_BYTES: usize = 1_100;

/// One organisation's event, but for the id.
#[derive(Debug)]
pub struct Template {
    organisation: String,
    after_id: String,
}

/// What an event's id says: which run, which event of it, and when it was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The run.
    pub run: u32,
    /// The number of the event, from 0; the organisation follows from it.
    pub number: usize,
    /// Nanoseconds since the epoch.
    pub published_ns: u64,
}

/// What the clock says, in nanoseconds since the epoch.
#[must_use]
pub fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

impl Template {
    /// Prepares an organisation's events in one mode.
    ///
    /// # Errors
    /// When the fixture is no JSON.
    pub fn of(mode: Mode, organisation: &str) -> Result<Self> {
        let mut data: Value = serde_json::from_str(FIXTURE).context("the fixture is JSON")?;
        data["organisationId"] = json!(organisation);
        let text = after_id(mode, organisation, &data);
        let missing = BODY_BYTES.saturating_sub(text.len());
        data["note"] = json!("These are my appointment notes. ".repeat(missing / 32 + 1)[..missing]);
        Ok(Self { organisation: organisation.to_owned(), after_id: after_id(mode, organisation, &data) })
    }

    /// The body of one event.
    #[must_use]
    pub fn body(&self, id: &str) -> Vec<u8> {
        [r#"{"id":""#, id, &self.after_id].concat().into_bytes()
    }

    /// The properties that go with it.
    #[must_use]
    pub fn properties(&self, id: &str) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert("organisation-id".into(), AMQPValue::LongString(self.organisation.as_str().into()));
        BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id(id.into())
            .with_type(EVENT_TYPE.into())
            .with_timestamp(now_ns() / 1_000_000_000)
            .with_headers(headers)
    }
}

impl Stamp {
    /// The id that says it.
    #[must_use]
    pub fn id(self) -> String {
        format!("{}-{}-{}", self.run, self.number, self.published_ns)
    }

    /// Reads an id; none when it was not made here.
    #[must_use]
    pub fn read(id: &str) -> Option<Self> {
        let (rest, published_ns) = id.rsplit_once('-')?;
        let (run, number) = rest.split_once('-')?;
        Some(Self {
            run: run.parse().ok()?,
            number: number.parse().ok()?,
            published_ns: published_ns.parse().ok()?,
        })
    }
}

fn after_id(mode: Mode, organisation: &str, data: &Value) -> String {
    let mode = mode.as_str();
    format!(
        r#"","type":"{EVENT_TYPE}","mode":"{mode}","organisationId":"{organisation}","occurredAt":"2026-01-01T00:00:00Z","data":{data}}}"#
    )
}
