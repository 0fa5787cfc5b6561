//! How a delivery and its requests are shown: without health data, and without what would tell of our own network.

use bellhop_model::EndReason;
use bellhop_store::{LoggedAttempt, LoggedDelivery, LoggedSeries, SeriesProgress};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::moment;
use crate::told::{millis, moment_of, tells_no_time, told, told_moment};

/// A delivery: one event owed to one webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Delivery)]
pub(in crate::routes) struct ShownDelivery {
    /// What it is called.
    #[schema(example = "dlv_0123456789abcdef0123456789abcdef")]
    id: String,
    /// The webhook.
    webhook: String,
    /// The event's id, which the endpoint gets as `webhook-id`.
    event: String,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "appointment.scheduled")]
    event_type: String,
    /// Whether nothing happened: it is a test event.
    test_event: bool,
    /// To which appointment it happened; null when it has no id that could be kept, or the log does not know it yet.
    appointment: Option<String>,
    /// When it began.
    #[schema(format = DateTime)]
    begun_at: String,
    /// Where it stands: `pending`, `deferred` (its webhook hangs or cannot be reached, since `since`), `retrying`,
    /// `exhausted`, `cancelled` or `delivered`. More states may come.
    state: &'static str,
    /// Why it is exhausted or cancelled: `attempts_failed`, `webhook_inactive` or `endpoint_gone`; null otherwise.
    reason: Option<&'static str>,
    /// Not before then comes the next attempt; null when none is known to.
    #[schema(format = DateTime)]
    next_at: Option<String>,
    /// Since when it stands there.
    #[schema(format = DateTime)]
    since: String,
    /// Which series of three attempts: 1 unless it was delivered again.
    series: u32,
    /// The last attempt of the series; null when none was made yet.
    attempt: Option<u8>,
    /// With which status the last request was answered; null when it was not.
    status: Option<u16>,
    /// What came of the last request: `2xx`, `3xx`, `4xx`, `5xx`, `timed_out`, `unreachable_host`, `connect`, `tls`,
    /// `interrupted`, `protocol` or `other`; null when none was made yet. More may come.
    outcome: Option<&'static str>,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryPage {
    /// The newest first.
    data: Vec<ShownDelivery>,
    /// The `cursor` of the next page; null on the last.
    next: Option<String>,
}

/// A delivery with all that is on record about it, save what is health data.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DetailedDelivery {
    #[serde(flatten)]
    delivery: ShownDelivery,
    /// Each request that was made, the first of them first; at most 200. An attempt that a fault hid has more than one.
    requests: Vec<ShownRequest>,
    /// The series that somebody asked for; the first began by itself.
    manual_series: Vec<ShownSeries>,
}

/// One HTTP request, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeliveryRequest)]
struct ShownRequest {
    /// What it is called.
    id: String,
    /// Which series.
    series: u32,
    /// Which of the three.
    attempt: u8,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// How long it took; null when its host could not be reached.
    timing: Option<ShownTiming>,
    /// With which status it was answered; null when it was not.
    status: Option<u16>,
    /// What came of it, in the words of a delivery's `outcome`.
    outcome: &'static str,
    /// What was decided: `delivered`, `retry`, `exhausted`, or `gone` when the endpoint said that it is.
    verdict: String,
    /// Of `retry`: not before then.
    #[schema(format = DateTime)]
    next_at: Option<String>,
    /// How much of the event was sent: `full` or `id_only`.
    payload: String,
    /// Which objects were sent whole.
    expanded: Vec<String>,
}

/// How long a request took, each from its beginning, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Timing)]
struct ShownTiming {
    /// Until a new connection was there; null when a kept one was used, or none was had.
    connected_ms: Option<f64>,
    /// Until the answer's head was there; null when there was none.
    head_ms: Option<f64>,
    /// Until the answer was read, or given up.
    whole_ms: f64,
}

/// A series that somebody asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ManualSeries)]
struct ShownSeries {
    /// Which.
    series: u32,
    /// Who asked: the id of a key, or a name.
    begun_by: String,
    /// When.
    #[schema(format = DateTime)]
    begun_at: String,
    /// The recovery it belongs to; null when this one delivery was asked for.
    recovery: Option<String>,
    /// When its first attempt was on its way; null before.
    #[schema(format = DateTime)]
    published_at: Option<String>,
    /// When it was given up because the payload was gone; null otherwise.
    #[schema(format = DateTime)]
    withdrawn_at: Option<String>,
}

impl ShownDelivery {
    pub(in crate::routes) fn of(delivery: &LoggedDelivery) -> Self {
        let standing = &delivery.standing;
        let state = standing.state;
        let shown = |micros| moment(told_moment(moment_of(micros), &standing.outcome));
        Self {
            id: delivery.id.to_string(),
            webhook: delivery.webhook.to_string(),
            event: delivery.event.to_string(),
            event_type: delivery.event_type.to_string(),
            test_event: delivery.is_test,
            appointment: delivery.appointment.clone(),
            begun_at: moment(delivery.begun_at),
            state: state.name().as_str(),
            reason: state.reason().map(EndReason::as_str),
            next_at: state.next_at_us().map(shown),
            since: shown(standing.since_us),
            series: standing.series.0,
            attempt: standing.attempt.map(bellhop_model::Attempt::number),
            status: standing.status,
            outcome: (!standing.outcome.is_empty()).then(|| told(&standing.outcome)),
        }
    }
}

impl DeliveryPage {
    pub(super) fn of(deliveries: &[LoggedDelivery], next: Option<String>) -> Self {
        Self { data: deliveries.iter().map(ShownDelivery::of).collect(), next }
    }
}

impl DetailedDelivery {
    pub(super) fn of(delivery: &LoggedDelivery, attempts: &[LoggedAttempt], series: &[LoggedSeries]) -> Self {
        Self {
            delivery: ShownDelivery::of(delivery),
            requests: attempts.iter().map(ShownRequest::of).collect(),
            manual_series: series.iter().map(ShownSeries::of).collect(),
        }
    }
}

impl ShownRequest {
    fn of(made: &LoggedAttempt) -> Self {
        let timing = ShownTiming {
            connected_ms: made.timing.connected_us.map(millis),
            head_ms: made.timing.head_us.map(millis),
            whole_ms: millis(made.timing.whole_us),
        };
        Self {
            id: made.request.to_string(),
            series: made.series.0,
            attempt: made.attempt.number(),
            started_at: moment(made.started_at),
            timing: (!tells_no_time(&made.outcome)).then_some(timing),
            status: made.status,
            outcome: told(&made.outcome),
            verdict: made.verdict.clone(),
            next_at: made.next_at.map(|next_at| moment(told_moment(next_at, &made.outcome))),
            payload: made.payload.name().to_owned(),
            expanded: made.payload.expansion().names().map(ToOwned::to_owned).collect(),
        }
    }
}

impl ShownSeries {
    fn of(begun: &LoggedSeries) -> Self {
        let (published_at, withdrawn_at) = match begun.progress {
            SeriesProgress::Owed => (None, None),
            SeriesProgress::Published(at) => (Some(moment(at)), None),
            SeriesProgress::Withdrawn(at) => (None, Some(moment(at))),
        };
        Self {
            series: begun.series.0,
            begun_by: begun.begun_by.to_string(),
            begun_at: moment(begun.begun_at),
            recovery: begun.recovery.as_ref().map(ToString::to_string),
            published_at,
            withdrawn_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use bellhop_model::{DeliveryId, DeliveryState, Mode, Series, Standing};

    use super::*;

    #[test]
    fn of_a_delivery_that_waits_for_its_webhook_is_told_since_when_and_until_when() {
        let at = 1_700_000_000_000_000;
        let (organisation, event) = ("org_a".parse().expect("an id"), "evt_1".parse().expect("an id"));
        let webhook = format!("wh_{}", "0".repeat(32)).parse().expect("an id");
        let delivery = LoggedDelivery {
            id: DeliveryId::derive(Mode::Test, &organisation, &event, &webhook),
            mode: Mode::Test,
            organisation,
            event,
            event_type: "appointment.scheduled".parse().expect("a type"),
            is_test: false,
            appointment: None,
            webhook,
            begun_at: moment_of(at),
            standing: Standing {
                series: Series::FIRST,
                state: DeliveryState::Deferred { next_at_us: at + 30_000_000 },
                attempt: None,
                since_us: at,
                request: None,
                status: None,
                outcome: String::new(),
            },
        };
        let ShownDelivery { state, reason, next_at, since, .. } = ShownDelivery::of(&delivery);
        assert_eq!((state, reason), ("deferred", None));
        assert_eq!(
            (since.as_str(), next_at.as_deref()),
            ("2023-11-14T22:13:20Z", Some("2023-11-14T22:13:50Z"))
        );
    }
}
