//! Records as workers make them.

use std::borrow::Cow;

use anyhow::Result;
use bellhop_model::{
    Addressed, AnswerRecord, Attempt, AttemptRecord, Decided, Event, EventLabels, Mode, PayloadLevel,
    RequestId, Sent, Series, Timing, WebhookId, micros_of,
};
use bellhop_tests::amqp::Message;
use bellhop_tests::appointment::{APPOINTMENT, SCHEDULED};
use time::OffsetDateTime;

/// An event owed to a webhook, of which records tell.
pub(crate) struct Told {
    pub(crate) event: Event,
    pub(crate) body: Vec<u8>,
    addressed: Addressed,
}

impl Told {
    pub(crate) fn new(mode: Mode, id: &str, webhook: &WebhookId) -> Result<Self> {
        let body = Message::event(mode.as_str(), SCHEDULED, id, APPOINTMENT).body;
        let event = Event::parse(&body, Some(mode), &EventLabels::default())?;
        let addressed = Addressed::new(&event, webhook);
        Ok(Self { event, body, addressed })
    }

    /// A first attempt that was taken, with a signature and an answer of usual lengths.
    pub(crate) fn attempt(&self, at: OffsetDateTime) -> AttemptRecord<'static> {
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
