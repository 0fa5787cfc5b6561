//! Records as workers make them.

use std::borrow::Cow;

use anyhow::Result;
use bellhop_model::{
    Addressed, AnswerRecord, Attempt, AttemptRecord, Decided, Event, EventLabels, Mode, PayloadLevel, Record,
    Records, RequestId, Sent, Series, Timing, WebhookId, decode_batch, micros_of,
};
use bellhop_store::{LogEntry, LogRetention, ModeRetention};
use time::OffsetDateTime;

use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, SCHEDULED};

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// An event owed to a webhook, of which records tell.
#[derive(Debug)]
pub struct Told {
    /// The event.
    pub event: Event,
    /// The event as it was published.
    pub body: Vec<u8>,
    /// To whom it is owed.
    pub addressed: Addressed,
}

impl Told {
    /// * `id`: of the event.
    ///
    /// # Errors
    /// When the id is none.
    pub fn new(mode: Mode, id: &str, webhook: &WebhookId) -> Result<Self> {
        let body = Message::event(mode.as_str(), SCHEDULED, id, APPOINTMENT).body;
        let event = Event::parse(&body, Some(mode), &EventLabels::default())?;
        let addressed = Addressed::new(&event, webhook);
        Ok(Self { event, body, addressed })
    }

    /// A first attempt that was taken, with a signature and an answer of usual lengths.
    ///
    /// # Panics
    /// When `at` is before 1970.
    #[must_use]
    pub fn attempt(&self, at: OffsetDateTime) -> AttemptRecord<'static> {
        let millis = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).expect("after the epoch");
        AttemptRecord {
            request: RequestId::new(millis, &rand::random()),
            of: Cow::Owned(self.addressed.clone()),
            series: Series::FIRST,
            attempt: Attempt::FIRST,
            started_at_us: micros_of(at),
            timing: Timing { connected_us: None, head_us: Some(900), whole_us: 1_000 },
            status: Some(200),
            outcome: "2xx".into(),
            verdict: Decided::Delivered,
            sent: Sent {
                payload: PayloadLevel::default(),
                timestamp: at.unix_timestamp(),
                signature: "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into(),
                user_agent: Some("Bellhop/0.1.0".into()),
                origin: Some("https://hooks.example".into()),
            },
            answer: Some(AnswerRecord {
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                body: r#"{"ok":true}"#.to_owned(),
                is_truncated: false,
            }),
        }
    }
}

/// What a recorder makes of the records of some deliveries.
///
/// # Errors
/// When a record is none that can be written.
pub fn entries(told: &[(&Told, OffsetDateTime)]) -> Result<Vec<LogEntry>> {
    let mut records = Records::default();
    for (told, at) in told {
        records.push_event(&told.event, &told.body, *at);
        records.push_attempt(&told.attempt(*at));
    }
    let decoded: Vec<Record> = decode_batch(&records.into_message())?;
    decoded.into_iter().map(|record| Ok(LogEntry::new(record)?)).collect()
}

/// So many days of everything in both modes.
#[must_use]
pub fn kept_for(days: u64) -> LogRetention {
    let days = std::time::Duration::from_secs(days * DAY_SECONDS);
    let of_mode = ModeRetention { payload: days, attempts: days };
    LogRetention { live: of_mode, test: of_mode }
}
