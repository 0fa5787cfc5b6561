//! Deliveries: those of a webhook, one with its requests, and one made again.

mod shown;
pub(super) use shown::ShownDelivery;
use shown::{DeliveryPage, DetailedDelivery};

use axum::extract::State;
use axum::http::StatusCode;
use bellhop_model::{DeliveryId, DeliveryStateName, WebhookId};
use bellhop_store::{DeliveryFilter, LoggedDelivery, Overlap};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::Json;
use crate::identity::Developer;
use crate::page::{self, Query};
use crate::path::Id;
use crate::problem::Problem;
use crate::sought::Sought;
use crate::state::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read)).routes(routes!(redeliver))
}

/// Which deliveries, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DeliveryQuery {
    /// Only those in this state.
    #[param(schema_with = state_schema)]
    state: Option<String>,
    /// Only those of events of this type.
    #[serde(rename = "type")]
    #[param(example = "appointment.scheduled")]
    event_type: Option<String>,
    /// Only those of events of this appointment.
    #[param(max_length = 128)]
    appointment: Option<String>,
    /// Only those whose last request was answered with this status, such as `503`, or with one of this hundred: `2xx`,
    /// `3xx`, `4xx` or `5xx`. One that was cancelled while it waited counts as not answered.
    #[param(example = "5xx", pattern = "^([2-9][0-9]{2}|[2-5]xx)$")]
    status: Option<String>,
    /// Only those that began then or later.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Only those that began earlier.
    #[param(format = DateTime)]
    until: Option<String>,
    /// How many, 1 to 200; 50 without it.
    #[param(schema_with = page::limit_schema)]
    limit: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// How to deliver again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RedeliveryRequest {
    /// Whether to begin another series although one is under way. The endpoint may then get the event from both.
    #[serde(default)]
    force: bool,
}

/// A series of three attempts that was asked for.
#[derive(Debug, Serialize, ToSchema)]
struct Redelivery {
    /// The delivery.
    delivery: String,
    /// The series: the second is 2.
    series: u32,
}

/// List the deliveries of a webhook
///
/// The newest first. The log is a moment behind what happens; a delivery that begins between two pages is on neither.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "deliveries", operation_id = "listDeliveries",
    params(("id" = String, Path, description = "The webhook's id"), DeliveryQuery),
    responses((status = 200, description = "A page of deliveries", body = DeliveryPage)))]
async fn list(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
    Query(query): Query<DeliveryQuery>,
) -> Result<Answer, Problem> {
    let limit = page::limit(query.limit.as_deref())?;
    let after = page::cursor(query.cursor.as_deref())?;
    let DeliveryQuery { state, event_type, appointment, status, since, until, .. } = query;
    let sought = Sought { state, event_type, appointment, status, since, until };
    let filter = DeliveryFilter { after, ..sought.read(&id).map_err(Problem::unreadable)? };
    let organisation = caller.organisation(&api.store);
    organisation.webhook(&id).await?;
    let deliveries = organisation.deliveries(filter, limit + 1).await?;
    let (deliveries, next) =
        page::cut(deliveries, limit, |delivery: &LoggedDelivery| delivery.cursor().to_string());
    Ok(Answer::ok(&DeliveryPage::of(&deliveries, next)))
}

/// Read a delivery
///
/// With its requests, the first of them first, and the series that somebody asked for. What was sent is shown by
/// `/v1/deliveries/{id}/requests/{request}/reveal`.
#[utoipa::path(get, path = "/v1/deliveries/{id}", tag = "deliveries", operation_id = "readDelivery",
    params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery", body = DetailedDelivery)))]
async fn read(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<DeliveryId>,
) -> Result<Answer, Problem> {
    let delivery = caller.organisation(&api.store).delivery(&id).await?;
    let attempts = api.store.attempts(&delivery).await?;
    let series = api.store.series(&id).await?;
    Ok(Answer::ok(&DetailedDelivery::of(&delivery, &attempts, &series)))
}

/// Deliver again
///
/// Another series of three attempts, of the same event with the same `webhook-id`, to the webhook as it is now. It begins
/// within moments. It is on record who asked.
#[utoipa::path(post, path = "/v1/deliveries/{id}/redeliver", tag = "deliveries", operation_id = "redeliver",
    params(("id" = String, Path, description = "The delivery's id")), request_body = RedeliveryRequest,
    responses(
        (status = 202, description = "Another series begins", body = Redelivery),
        (status = 409, description = "A series is under way, the payload is gone, or the webhook is disabled or removed",
            body = Problem, content_type = "application/problem+json")))]
async fn redeliver(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<DeliveryId>,
    Json(RedeliveryRequest { force }): Json<RedeliveryRequest>,
) -> Result<Answer, Problem> {
    let overlap = if force { Overlap::Forced } else { Overlap::Refused };
    let owed = caller.organisation(&api.store).redeliver(&id, overlap).await?;
    Ok(Answer::of(StatusCode::ACCEPTED, &Redelivery { delivery: id.to_string(), series: owed.series.0 }))
}

fn state_schema() -> Object {
    let words = DeliveryStateName::ALL.map(DeliveryStateName::as_str);
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}
