//! How a webhook fares over time, for charts.

use std::time::Duration;

use axum::extract::State;
use bellhop_model::WebhookId;
use bellhop_store::{RATE_POINTS_MAX, RATE_SLOT, RatePoint, RateSpan};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, moment};
use crate::identity::Developer;
use crate::page::{self, Query};
use crate::path::Id;
use crate::problem::Problem;
use crate::state::Api;

/// Which time is told of unless asked otherwise: the last day.
const SPAN_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest step.
const STEP_MAX: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(series))
}

/// How a webhook fared.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Rates {
    /// How long one point is, in seconds.
    step_seconds: u64,
    /// The oldest first; a step without a request has none.
    data: Vec<ShownPoint>,
}

/// How a webhook fared in one step.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RatePoint)]
struct ShownPoint {
    /// When the step began.
    #[schema(format = DateTime)]
    begins_at: String,
    /// Requests that were made.
    made: u64,
    /// How many of them the endpoint took, by a 2xx.
    taken: u64,
    /// `taken` by `made`, 0 to 1.
    success_rate: f64,
    /// How long requests took, save those whose host could not be reached; null when there was no other.
    latency: Option<Quantiles>,
}

/// Within how many milliseconds requests were over. Told from counts between fixed bounds, hence not exact.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Quantiles {
    /// Half of them.
    p50_ms: f64,
    /// 95 of 100.
    p95_ms: f64,
    /// 99 of 100.
    p99_ms: f64,
}

/// Which time, in what steps.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct RateQuery {
    /// From then on; without it, a day before `until`.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Before then; without it, until now.
    #[param(format = DateTime)]
    until: Option<String>,
    /// How long one point is, in seconds: a multiple of 300, at most a day. Without it, the shortest by which there are no
    /// more than a thousand points.
    #[param(schema_with = step_schema)]
    step: Option<String>,
}

/// Read how a webhook fares
///
/// Requests, successes and latencies over time. A request counts when it is written to the log, moments after it was made.
#[utoipa::path(get, path = "/v1/webhooks/{id}/rates", tag = "webhooks", operation_id = "readRates",
    params(("id" = String, Path, description = "The webhook's id"), RateQuery),
    responses((status = 200, description = "How it fared", body = Rates)))]
async fn series(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
    Query(query): Query<RateQuery>,
) -> Result<Answer, Problem> {
    let span = span(&query, OffsetDateTime::now_utc())?;
    let points = caller.organisation(&api.store).rates(&id, span).await?;
    let data = points.iter().map(ShownPoint::of).collect();
    Ok(Answer::ok(&Rates { step_seconds: span.step.as_secs(), data }))
}

fn span(query: &RateQuery, now: OffsetDateTime) -> Result<RateSpan, Problem> {
    let until = page::time("until", query.until.as_deref())?.unwrap_or(now);
    let since = match page::time("since", query.since.as_deref())? {
        Some(since) => since,
        None => until.checked_sub(SPAN_DEFAULT.try_into().expect("a day is a duration")).unwrap_or(until),
    };
    let length = Duration::try_from(until - since).ok().filter(|length| !length.is_zero());
    let length = length.ok_or_else(|| Problem::malformed("since", "must be a time before `until`"))?;
    let shortest = shortest_step(length);
    let step = match query.step.as_deref() {
        None => shortest,
        Some(text) => step(text)?,
    };
    if step < shortest || STEP_MAX < step {
        let most = format!("must be longer, or the time shorter: there are at most {RATE_POINTS_MAX} points");
        return Err(Problem::malformed("step", most));
    }
    Ok(RateSpan { since, until, step })
}

/// The shortest step by which a time has no more points than are told; one more is begun before the time begins.
fn shortest_step(length: Duration) -> Duration {
    let slots = length.as_secs().div_ceil(RATE_SLOT.as_secs());
    let points = u64::try_from(RATE_POINTS_MAX - 1).unwrap_or(u64::MAX);
    Duration::from_secs(slots.div_ceil(points).max(1) * RATE_SLOT.as_secs())
}

fn step(text: &str) -> Result<Duration, Problem> {
    let seconds = text.parse::<u64>().ok();
    let is_whole = |seconds: &u64| {
        (RATE_SLOT.as_secs()..=STEP_MAX.as_secs()).contains(seconds)
            && seconds.is_multiple_of(RATE_SLOT.as_secs())
    };
    let wrong = || {
        let (slot, most) = (RATE_SLOT.as_secs(), STEP_MAX.as_secs());
        Problem::malformed("step", format!("must be a multiple of {slot} from {slot} to {most}"))
    };
    seconds.filter(is_whole).map(Duration::from_secs).ok_or_else(wrong)
}

impl ShownPoint {
    fn of(point: &RatePoint) -> Self {
        let quantile = |share| point.latency_ms(share);
        let latency = quantile(0.5).zip(quantile(0.95)).zip(quantile(0.99));
        Self {
            begins_at: moment(point.begins_at),
            made: point.made,
            taken: point.taken,
            success_rate: point.success_rate(),
            latency: latency.map(|((p50_ms, p95_ms), p99_ms)| Quantiles { p50_ms, p95_ms, p99_ms }),
        }
    }
}

fn step_schema() -> Object {
    let slot = u32::try_from(RATE_SLOT.as_secs()).unwrap_or(u32::MAX);
    let most = u32::try_from(STEP_MAX.as_secs()).unwrap_or(u32::MAX);
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(slot))
        .maximum(Some(most))
        .multiple_of(Some(slot))
        .build()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 08:00 UTC);

    fn asked(since: Option<&str>, step: Option<&str>) -> Result<RateSpan, Problem> {
        let query = RateQuery { since: since.map(Into::into), until: None, step: step.map(Into::into) };
        span(&query, NOW)
    }

    #[test]
    fn the_last_day_is_told_in_the_shortest_steps() {
        let day = RateSpan { since: datetime!(2026-11-22 08:00 UTC), until: NOW, step: RATE_SLOT };
        assert_eq!(asked(None, None).ok(), Some(day));
        let quarter = asked(Some("2026-08-25T08:00:00Z"), None).expect("90 days");
        assert_eq!(quarter.step, Duration::from_secs(26 * 300));
        assert_eq!(asked(None, Some("3600")).expect("an hour").step, Duration::from_secs(3600));
    }

    #[test]
    fn what_would_be_too_many_points_or_none_is_refused() {
        for (since, step) in [
            (None, Some("0")),
            (None, Some("301")),
            (None, Some("86700")),
            (None, Some("x")),
            (Some("2026-08-25T08:00:00Z"), Some("300")),
            (Some("2026-11-23T08:00:00Z"), None),
            (Some("2027-11-23T08:00:00Z"), None),
            (Some("1970-01-01T00:00:00Z"), None),
        ] {
            assert!(asked(since, step).is_err(), "{since:?} {step:?}");
        }
    }
}
