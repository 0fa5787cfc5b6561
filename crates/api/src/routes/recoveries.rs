//! Delivering many of a webhook again: counted, begun, looked at, stopped.

mod shown;
use shown::{RecoveryPage, ShownCount, ShownRecovery};

use axum::extract::State;
use axum::http::StatusCode;
use bellhop_model::{RecoveryId, WebhookId};
use bellhop_store::Recovery;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::Json;
use crate::identity::Developer;
use crate::page::{self, Query};
use crate::path::Id;
use crate::problem::Problem;
use crate::recovering::RecoveryRequest;
use crate::state::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list, begin)).routes(routes!(read)).routes(routes!(cancel))
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct RecoveryQuery {
    /// How many, 1 to 200; 50 without it.
    #[param(schema_with = page::limit_schema)]
    limit: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List the recoveries of a webhook
#[utoipa::path(get, path = "/v1/webhooks/{id}/recoveries", tag = "recoveries", operation_id = "listRecoveries",
    params(("id" = String, Path, description = "The webhook's id"), RecoveryQuery),
    responses((status = 200, description = "A page of recoveries", body = RecoveryPage)))]
async fn list(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
    Query(query): Query<RecoveryQuery>,
) -> Result<Answer, Problem> {
    let limit = page::limit(query.limit.as_deref())?;
    let after: Option<RecoveryId> = page::cursor(query.cursor.as_deref())?;
    let recoveries = caller.organisation(&api.store).recoveries(&id, after.as_ref(), limit + 1).await?;
    let (recoveries, next) = page::cut(recoveries, limit, |recovery: &Recovery| recovery.id.to_string());
    Ok(Answer::ok(&RecoveryPage::of(&recoveries, next)))
}

/// Deliver many again
///
/// What was exhausted or cancelled since a moment, or whatever else is asked for, gets another series of three attempts
/// each, with the same `webhook-id`, one after the other at a pace. With `dryRun` it is only counted. It is on record who
/// asked.
#[utoipa::path(post, path = "/v1/webhooks/{id}/recoveries", tag = "recoveries", operation_id = "beginRecovery",
    params(("id" = String, Path, description = "The webhook's id")), request_body = RecoveryRequest,
    responses(
        (status = 200, description = "What would be delivered again: with `dryRun`", body = ShownCount),
        (status = 202, description = "It has begun", body = ShownRecovery,
            headers(("location" = String, description = "Where it tells how far it is"))),
        (status = 409, description = "Another is under way, which the detail names; there is nothing to recover, or more than can be counted; or the webhook is disabled",
            body = Problem, content_type = "application/problem+json")))]
async fn begin(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
    Json(request): Json<RecoveryRequest>,
) -> Result<Answer, Problem> {
    let asked = request.read(&id).map_err(Problem::invalid)?;
    if request.dry_run {
        let pace = asked.pace;
        return Ok(Answer::ok(&ShownCount::of(&asked.count(caller, &api).await?, pace)));
    }
    let begun = asked.begin(caller, &api).await?;
    let location = format!("/v1/recoveries/{}", begun.id);
    Ok(Answer::of(StatusCode::ACCEPTED, &ShownRecovery::of(&begun)).with_location(&location))
}

/// Read a recovery
///
/// With how far it is.
#[utoipa::path(get, path = "/v1/recoveries/{id}", tag = "recoveries", operation_id = "readRecovery",
    params(("id" = String, Path, description = "The recovery's id")),
    responses((status = 200, description = "The recovery", body = ShownRecovery)))]
async fn read(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<RecoveryId>,
) -> Result<Answer, Problem> {
    Ok(Answer::ok(&ShownRecovery::of(&caller.organisation(&api.store).recovery(&id).await?)))
}

/// Stop a recovery
///
/// What it has begun by now is still delivered.
#[utoipa::path(post, path = "/v1/recoveries/{id}/cancel", tag = "recoveries", operation_id = "cancelRecovery",
    params(("id" = String, Path, description = "The recovery's id")),
    responses(
        (status = 200, description = "The recovery as it is now", body = ShownRecovery),
        (status = 409, description = "It has ended already", body = Problem, content_type = "application/problem+json")))]
async fn cancel(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<RecoveryId>,
) -> Result<Answer, Problem> {
    Ok(Answer::ok(&ShownRecovery::of(&caller.organisation(&api.store).cancel_recovery(&id).await?)))
}
