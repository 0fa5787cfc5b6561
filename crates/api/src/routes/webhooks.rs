//! The organisation's webhooks: register, list, read, change, enable, disable, delete.

mod request;
pub(crate) use request::{Edge, WebhookPatch, WebhookRequest};
mod shown;
pub(crate) use shown::render_created;
pub(super) use shown::{CreatedWebhook, ShownWebhook, answer_creation};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bellhop_model::{DisabledReason, WebhookId};
use bellhop_store::{Idempotency, WebhookFilter};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::Json;
use crate::condition::{IdempotencyKey, IfMatch, hash};
use crate::identity::Developer;
use crate::page::{self, Query};
use crate::path::Id;
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, delete))
        .routes(routes!(enable))
        .routes(routes!(disable))
}

/// A page of webhooks.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookPage {
    /// In the order of their registration.
    data: Vec<ShownWebhook>,
    /// The `cursor` of the next page; null on the last.
    next: Option<String>,
}

/// Which webhooks, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WebhookQuery {
    /// Only those that are `enabled`, or `disabled`.
    #[param(schema_with = status_schema)]
    status: Option<String>,
    /// Only those that want events of this type.
    #[param(example = "appointment.scheduled")]
    event: Option<String>,
    /// How many, 1 to 200; 50 without it.
    #[param(schema_with = page::limit_schema)]
    limit: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List webhooks
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks", operation_id = "listWebhooks", params(WebhookQuery),
    responses((status = 200, description = "A page of webhooks", body = WebhookPage)))]
async fn list(
    Developer(caller): Developer,
    State(api): State<Api>,
    Query(query): Query<WebhookQuery>,
) -> Result<Answer, Problem> {
    let limit = page::limit(query.limit.as_deref())?;
    let filter = WebhookFilter {
        is_enabled: status(query.status.as_deref())?,
        event_type: event_type(query.event.as_deref())?,
        after: page::cursor(query.cursor.as_deref())?,
        limit: Some(limit + 1),
        ..WebhookFilter::default()
    };
    let webhooks = caller.organisation(&api.store).webhooks(filter).await?;
    let (webhooks, next) = page::cut(webhooks, limit, |webhook| webhook.id.to_string());
    Ok(Answer::ok(&WebhookPage { data: webhooks.iter().map(ShownWebhook::of).collect(), next }))
}

/// Register a webhook
///
/// Events from now on are sent to it. Its secret is in the answer; it can be looked at again, which is on record.
#[utoipa::path(post, path = "/v1/webhooks", tag = "webhooks", operation_id = "createWebhook",
    params(("idempotency-key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$",
        description = "A name for the request, 1 to 255 visible ASCII characters. The same request with the same key within a day registers nothing, and is answered as the first was.")),
    request_body = WebhookRequest,
    responses(
        (status = 201, description = "The webhook, and its secret", body = CreatedWebhook,
            headers(("location" = String, description = "Its path"), ("etag" = String, description = "Its version"))),
        (status = 409, description = "The URL is registered already, or the limit is reached", body = Problem,
            content_type = "application/problem+json")))]
async fn create(
    Developer(caller): Developer,
    IdempotencyKey(key): IdempotencyKey,
    State(api): State<Api>,
    Json(request): Json<WebhookRequest>,
) -> Result<Answer, Problem> {
    let asked = serde_json::to_string(&request).expect("what was read as JSON makes JSON");
    let new = request.read(&caller, &Edge::of(&api))?;
    let idempotency = key.as_deref().map(|key| Idempotency {
        key,
        request: hash(&["create", &asked]),
        render: &render_created,
    });
    let written = caller.organisation(&api.store).create_webhook_once(&new, idempotency.as_ref()).await?;
    Ok(answer_creation(written.value))
}

/// Read a webhook
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "webhooks", operation_id = "readWebhook",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook", body = ShownWebhook,
        headers(("etag" = String, description = "Its version")))))]
async fn read(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
) -> Result<Answer, Problem> {
    Ok(ShownWebhook::answer(&caller.organisation(&api.store).webhook(&id).await?))
}

/// Change a webhook
///
/// What is left out stays. It holds within 5 s, also for deliveries that wait for their next attempt.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", tag = "webhooks", operation_id = "updateWebhook",
    params(("id" = String, Path, description = "The webhook's id"),
        ("if-match" = Option<String>, Header, description = "The `ETag` of what you read; refused with 412 when it changed since.")),
    request_body = WebhookPatch,
    responses(
        (status = 200, description = "The webhook as it is now", body = ShownWebhook,
            headers(("etag" = String, description = "Its version"))),
        (status = 409, description = "The URL is registered already", body = Problem,
            content_type = "application/problem+json"),
        (status = 412, description = "It changed since it was read", body = Problem,
            content_type = "application/problem+json")))]
async fn update(
    Developer(caller): Developer,
    IfMatch(expected): IfMatch,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
    Json(patch): Json<WebhookPatch>,
) -> Result<Answer, Problem> {
    let change = patch.read(caller.mode, &Edge::of(&api))?;
    let written = caller.organisation(&api.store).update_webhook(&id, &change, expected).await?;
    Ok(ShownWebhook::answer(&written.value))
}

/// Delete a webhook
///
/// It and its secret are gone for good; only what was answered to its creation under an `Idempotency-Key` stays, sealed,
/// until that key's day is over. What is queued for it ends as cancelled.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "webhooks", operation_id = "deleteWebhook",
    params(("id" = String, Path, description = "The webhook's id"),
        ("if-match" = Option<String>, Header, description = "The `ETag` of what you read; refused with 412 when it changed since.")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 412, description = "It changed since it was read", body = Problem,
            content_type = "application/problem+json")))]
async fn delete(
    Developer(caller): Developer,
    IfMatch(expected): IfMatch,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
) -> Result<Response, Problem> {
    caller.organisation(&api.store).remove_webhook(&id, expected).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Deliver to a webhook again
///
/// Enabling an enabled one changes nothing.
#[utoipa::path(post, path = "/v1/webhooks/{id}/enable", tag = "webhooks", operation_id = "enableWebhook",
    params(("id" = String, Path, description = "The webhook's id"),
        ("if-match" = Option<String>, Header, description = "The `ETag` of what you read; refused with 412 when it changed since.")),
    responses(
        (status = 200, description = "The webhook as it is now", body = ShownWebhook,
            headers(("etag" = String, description = "Its version"))),
        (status = 412, description = "It changed since it was read", body = Problem,
            content_type = "application/problem+json")))]
async fn enable(
    Developer(caller): Developer,
    IfMatch(expected): IfMatch,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
) -> Result<Answer, Problem> {
    let written = caller.organisation(&api.store).enable_webhook(&id, expected).await?;
    Ok(ShownWebhook::answer(&written.value))
}

/// Stop delivering to a webhook
///
/// What is queued for it ends as cancelled. One that is disabled already keeps its first reason.
#[utoipa::path(post, path = "/v1/webhooks/{id}/disable", tag = "webhooks", operation_id = "disableWebhook",
    params(("id" = String, Path, description = "The webhook's id"),
        ("if-match" = Option<String>, Header, description = "The `ETag` of what you read; refused with 412 when it changed since.")),
    responses(
        (status = 200, description = "The webhook as it is now", body = ShownWebhook,
            headers(("etag" = String, description = "Its version"))),
        (status = 412, description = "It changed since it was read", body = Problem,
            content_type = "application/problem+json")))]
async fn disable(
    Developer(caller): Developer,
    IfMatch(expected): IfMatch,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
) -> Result<Answer, Problem> {
    let organisation = caller.organisation(&api.store);
    let written = organisation.disable_webhook(&id, DisabledReason::Requested, expected).await?;
    Ok(ShownWebhook::answer(&written.value))
}

fn status(given: Option<&str>) -> Result<Option<bool>, Problem> {
    match given {
        None => Ok(None),
        Some("enabled") => Ok(Some(true)),
        Some("disabled") => Ok(Some(false)),
        Some(_) => Err(Problem::malformed("status", "must be `enabled` or `disabled`")),
    }
}

fn event_type(given: Option<&str>) -> Result<Option<bellhop_model::EventType>, Problem> {
    let parsed = given.map(str::parse).transpose();
    parsed.map_err(|error| Problem::malformed("event", format!("is wrong: {error}")))
}

fn status_schema() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["enabled", "disabled"])).build()
}
