//! Copying a webhook that was tried in Test Mode to live, and back.

use axum::extract::State;
use axum::http::HeaderMap;
use bellhop_model::WebhookId;
use bellhop_store::Idempotency;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::webhooks::{CreatedWebhook, Edge, answer_creation, render_created};
use crate::answer::Answer;
use crate::body::Json;
use crate::condition::{IdempotencyKey, hash};
use crate::identity::{Developer, other_mode};
use crate::problem::{FieldProblem, Problem};
use crate::state::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(copy))
}

/// What to copy, and where its requests go.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CopyRequest {
    /// The webhook of the other mode.
    #[schema(example = "wh_019ab3c47d2e7f00a1b2c3d4e5f60718")]
    from: String,
    /// Where the copy's requests go; another URL than the original's.
    #[schema(max_length = 2048, example = "https://example.org/webhooks")]
    url: String,
}

/// Copy a webhook from the other mode
///
/// Events, description and payload are copied; the URL is new, and so is the secret. `Authorization` decides the mode that
/// the copy is for; a key of the other mode, in a header of its own, opens the original. Neither mode's key sees the other.
#[utoipa::path(post, path = "/v1/webhook-copies", tag = "webhooks", operation_id = "copyWebhook",
    params(
        ("bellhop-source-authorization" = Option<String>, Header,
            description = "A key of the mode that the original is in; the operator needs none."),
        ("idempotency-key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$",
            description = "A name for the request, 1 to 255 visible ASCII characters. The same request with the same key within a day copies nothing, and is answered as the first was.")),
    request_body = CopyRequest,
    responses(
        (status = 201, description = "The copy, and its secret", body = CreatedWebhook,
            headers(("location" = String, description = "Its path"), ("etag" = String, description = "Its version"))),
        (status = 404, description = "Nothing in the other mode has this id", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The URL is registered already, or the limit is reached", body = Problem,
            content_type = "application/problem+json")))]
async fn copy(
    Developer(caller): Developer,
    IdempotencyKey(key): IdempotencyKey,
    State(api): State<Api>,
    headers: HeaderMap,
    Json(request): Json<CopyRequest>,
) -> Result<Answer, Problem> {
    let source = other_mode(&caller, &headers, &api).await?;
    let asked = serde_json::to_string(&request).expect("what was read as JSON makes JSON");
    let url = Edge::of(&api).url(&request.url, caller.mode);
    let from: Result<WebhookId, _> = request.from.parse();
    let (url, from) = match (url, from) {
        (Ok(url), Ok(from)) => (url, from),
        (url, from) => {
            let from = from.err().map(|error| FieldProblem::new("from", format!("is wrong: {error}")));
            return Err(Problem::invalid(from.into_iter().chain(url.err()).collect()));
        }
    };
    if source.organisation != caller.organisation {
        return Err(Problem::not_found(format!("no webhook has the id `{from}`")));
    }
    let idempotency = key.as_deref().map(|key| Idempotency {
        key,
        request: hash(&["copy", &asked]),
        render: &render_created,
    });
    let (here, there) = (caller.organisation(&api.store), source.organisation(&api.store));
    let written = here.copy_webhook(&there, &from, &url, idempotency.as_ref()).await?;
    Ok(answer_creation(written.value))
}
