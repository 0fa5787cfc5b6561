//! A webhook's secret: looked at on purpose, and rotated with an overlap.

use std::time::Duration;

use axum::extract::State;
use bellhop_model::WebhookId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::webhooks::CreatedWebhook;
use crate::answer::{Answer, moment};
use crate::body::Json;
use crate::condition::IfMatch;
use crate::identity::Developer;
use crate::path::Id;
use crate::problem::{FieldProblem, Problem};
use crate::state::Api;

/// How long the secret before still signs, unless asked otherwise, and at most; in seconds.
pub(crate) const OVERLAP_DEFAULT: u64 = 24 * 60 * 60;
pub(crate) const OVERLAP_MAX: u64 = 7 * 24 * 60 * 60;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(reveal)).routes(routes!(rotate))
}

/// What a webhook signs with.
#[derive(Debug, Serialize, ToSchema)]
struct Secrets {
    /// The current secret.
    secret: String,
    /// Those that a rotation keeps alive, the newest first.
    previous: Vec<PreviousSecret>,
}

/// A secret that a rotation keeps alive.
#[derive(Debug, Serialize, ToSchema)]
struct PreviousSecret {
    /// The secret.
    secret: String,
    /// When it stops to sign.
    #[schema(format = DateTime)]
    until: String,
}

/// How to rotate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RotationRequest {
    /// How long the secret before still signs beside the new one, in seconds: a day without it, at most seven. With 0,
    /// it and all that earlier rotations kept alive end at once.
    #[schema(minimum = 0, maximum = 604_800, default = 86_400)]
    #[serde(default = "overlap_default")]
    overlap_seconds: u64,
}

/// Look at a webhook's secret
///
/// It is on record who did.
#[utoipa::path(post, path = "/v1/webhooks/{id}/secret/reveal", tag = "webhooks", operation_id = "revealSecret",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "What it signs with", body = Secrets)))]
async fn reveal(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
) -> Result<Answer, Problem> {
    let secrets = caller.organisation(&api.store).reveal_secrets(&id).await?;
    let shown = |until: i64| OffsetDateTime::from_unix_timestamp(until).map(moment).unwrap_or_default();
    let current = secrets.iter().find(|signing| signing.until.is_none());
    let secret = current.map(|signing| signing.secret.expose()).unwrap_or_default();
    let previous = secrets.iter().filter_map(|signing| {
        let until = shown(signing.until?);
        Some(PreviousSecret { secret: signing.secret.expose(), until })
    });
    Ok(Answer::ok(&Secrets { secret, previous: previous.collect() }))
}

/// Rotate a webhook's secret
///
/// Requests carry a signature with the new secret and, during the overlap, one with the secret before, so that receivers
/// can change over in their own time.
#[utoipa::path(post, path = "/v1/webhooks/{id}/secret/rotate", tag = "webhooks", operation_id = "rotateSecret",
    params(("id" = String, Path, description = "The webhook's id"),
        ("if-match" = Option<String>, Header, description = "The `ETag` of what you read; refused with 412 when it changed since.")),
    request_body = RotationRequest,
    responses(
        (status = 200, description = "The webhook, and its new secret", body = CreatedWebhook,
            headers(("etag" = String, description = "Its version"))),
        (status = 409, description = "Earlier rotations keep as many secrets alive as may be", body = Problem,
            content_type = "application/problem+json"),
        (status = 412, description = "It changed since it was read", body = Problem,
            content_type = "application/problem+json")))]
async fn rotate(
    Developer(caller): Developer,
    IfMatch(expected): IfMatch,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
    Json(request): Json<RotationRequest>,
) -> Result<Answer, Problem> {
    if OVERLAP_MAX < request.overlap_seconds {
        let message = format!("must be 0 to {OVERLAP_MAX}, which is seven days");
        return Err(Problem::invalid(vec![FieldProblem::new("overlapSeconds", message)]));
    }
    let overlap = Duration::from_secs(request.overlap_seconds);
    let written = caller.organisation(&api.store).rotate_secret(&id, overlap, expected).await?;
    let version = written.value.webhook.version;
    Ok(Answer::ok(&CreatedWebhook::of(&written.value)).with_version(version))
}

fn overlap_default() -> u64 {
    OVERLAP_DEFAULT
}
