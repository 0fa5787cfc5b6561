//! What is told about one attempt: a line, a few counts, a record for the log.

use std::borrow::Cow;
use std::time::Duration;

use bellhop_broker::Owed;
use bellhop_model::{
    Addressed, AnswerRecord, AttemptRecord, Decided, RequestId, Rung, Sent, Timing, TraceParent, Verdict,
    micros_of,
};
use bellhop_sender::{AnswerExcerpt, AnswerHeader, Exchange};
use time::OffsetDateTime;

use crate::metrics::{WorkerMetrics, count};
use crate::options::LaneKind;

/// One request, and what came back.
pub(crate) struct Made {
    pub(crate) request: RequestId,
    pub(crate) started_at: OffsetDateTime,
    pub(crate) sent: Sent<'static>,
    pub(crate) exchange: Exchange,
}

/// A request with everything that is to be told about it.
pub(crate) struct Attempted<'a> {
    pub(crate) addressed: &'a Addressed,
    pub(crate) owed: &'a Owed,
    pub(crate) made: Made,
    pub(crate) verdict: Verdict,
    /// The publisher's, if it said so: for the line alone.
    pub(crate) trace: Option<TraceParent>,
}

/// Writes the line of one attempt; a level is part of the code of a line, so it cannot be an argument.
macro_rules! tell {
    ($level:ident, $attempted:expr, $verdict:literal, $wait:expr) => {{
        let Attempted { addressed, owed, made, trace, .. } = $attempted;
        let wait: Option<Duration> = $wait;
        tracing::$level!(
            delivery.id = %addressed.delivery,
            request.id = %made.request,
            webhook.id = %addressed.webhook,
            organisation.id = %addressed.organisation,
            event.id = %addressed.event,
            event.r#type = %addressed.event_type,
            mode = addressed.mode.as_str(),
            series = owed.series.0,
            attempt = owed.attempt.number(),
            outcome = made.exchange.outcome.label(),
            status = made.exchange.outcome.status(),
            duration_ms = made.exchange.duration.as_secs_f64() * 1000.0,
            verdict = $verdict,
            wait_ms = wait.map(|wait| wait.as_millis()),
            trace.id = trace.as_ref().map(TraceParent::trace),
            trace.parent = trace.as_ref().map(TraceParent::span),
            "made an attempt"
        );
    }};
}

impl<'a> Attempted<'a> {
    /// One line and a few counts. Deliveries that went well are in the delivery log; a line of each, at level `debug`,
    /// would be most of what a busy worker writes.
    ///
    /// * `lane`: where its message came from.
    /// * `age`: how long ago the event happened, in seconds.
    pub(crate) fn observe(&self, metrics: &WorkerMetrics, lane: LaneKind, age: f64) {
        let Exchange { outcome, duration, .. } = &self.made.exchange;
        let mode = self.addressed.mode.as_str();
        let number = ["1", "2", "3"][usize::from(self.owed.attempt.number() - 1)];
        count(&metrics.attempts, &[mode, number, outcome.label()]);
        metrics.attempt_duration.with_label_values(&[mode]).observe(duration.as_secs_f64());
        match self.verdict {
            Verdict::Delivered => {
                metrics.ended(self.addressed.mode, &self.addressed.event_type, "delivered");
                metrics.delivery_age.with_label_values(&[mode, lane.as_str()]).observe(age.max(0.0));
                tell!(debug, self, "delivered", None);
            }
            Verdict::Retry { rung, .. } => tell!(info, self, "retry", Some(rung.wait())),
            Verdict::Exhausted => tell!(info, self, "exhausted", None),
            Verdict::Gone => tell!(info, self, "gone", None),
        }
    }

    /// The record of the request.
    ///
    /// * `waits_on`: where the next attempt waits, if that was stored; its own rung may have refused.
    pub(crate) fn into_record(self, waits_on: Option<Rung>) -> AttemptRecord<'a> {
        let Self { addressed, owed, made, verdict, .. } = self;
        let Made { request, started_at, sent, exchange } = made;
        let Exchange { outcome, duration, phases, answer } = exchange;
        AttemptRecord {
            request,
            of: Cow::Borrowed(addressed),
            series: owed.series,
            attempt: owed.attempt,
            started_at_us: micros_of(started_at),
            timing: Timing {
                connected_us: phases.connected.map(micros),
                head_us: phases.head.map(micros),
                whole_us: micros(duration),
            },
            status: outcome.status(),
            outcome: outcome.label().into(),
            verdict: match verdict {
                Verdict::Delivered => Decided::Delivered,
                Verdict::Retry { rung, .. } => {
                    let wait = waits_on.unwrap_or(rung).wait();
                    Decided::Retry { at_us: micros_of(started_at + duration + wait) }
                }
                Verdict::Exhausted => Decided::Exhausted,
                Verdict::Gone => Decided::Gone,
            },
            sent,
            answer: outcome.status().is_some().then(|| answer_record(answer)),
        }
    }
}

fn answer_record(AnswerExcerpt { headers, body, is_body_cut }: AnswerExcerpt) -> AnswerRecord {
    let headers = headers.into_iter().map(|AnswerHeader { name, value }| (name, value)).collect();
    AnswerRecord { headers, body, is_truncated: is_body_cut }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
