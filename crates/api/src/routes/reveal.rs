//! What was sent to an endpoint and what it answered, to the byte: health data, shown on purpose and on record.

use axum::extract::State;
use bellhop_model::{AnswerRecord, DeliveryId, RequestId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::identity::Developer;
use crate::path::Ids;
use crate::problem::Problem;
use crate::revealed::{METHOD, Revealed};
use crate::state::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(reveal))
}

/// A request as it was sent, and the beginning of what was answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Revealed)]
struct ShownRequest {
    /// The request.
    id: String,
    /// How it was sent.
    method: &'static str,
    /// Scheme, host and port of where it went; null when nobody noted them. Path and query are not kept: they may be a
    /// credential.
    origin: Option<String>,
    /// The headers in the order in which they were sent. Those that are told by `origin` and version (`host`,
    /// `user-agent`) are missing where nobody noted these.
    headers: Vec<RevealedHeader>,
    /// The body, byte for byte.
    body: String,
    /// What was answered, as far as it is kept; null when nothing was, or nothing is left.
    answer: Option<RevealedAnswer>,
}

/// One header.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Header)]
struct RevealedHeader {
    /// Its name, in lower case.
    name: String,
    /// Its value.
    value: String,
}

/// The beginning of an answer, with what would harm a reader made visible.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RevealedAnswer {
    /// Its status.
    status: Option<u16>,
    /// Some of its headers.
    headers: Vec<RevealedHeader>,
    /// The beginning of its body.
    body: String,
    /// Whether the body went on.
    is_truncated: bool,
}

/// Look at what was sent
///
/// The payload and the headers exactly as the endpoint got them, and the beginning of what it answered. Of a request that
/// failed before anything was sent, what would have been. It is on record who looked.
#[utoipa::path(post, path = "/v1/deliveries/{id}/requests/{request}/reveal", tag = "deliveries",
    operation_id = "revealRequest",
    params(("id" = String, Path, description = "The delivery's id"),
        ("request" = String, Path, description = "The request's id")),
    responses(
        (status = 200, description = "What was sent and answered", body = ShownRequest),
        (status = 410, description = "The payload is too old to be kept, or was removed on request", body = Problem,
            content_type = "application/problem+json")))]
async fn reveal(
    Developer(caller): Developer,
    State(api): State<Api>,
    Ids(id, request): Ids<DeliveryId, RequestId>,
) -> Result<Answer, Problem> {
    Ok(Answer::ok(&ShownRequest::of(Revealed::open(&caller, &api, &id, request).await?)))
}

impl ShownRequest {
    fn of(Revealed { attempt, headers, body, answer }: Revealed) -> Self {
        let headers =
            headers.into_iter().map(|(name, value)| RevealedHeader { name: name.to_owned(), value });
        Self {
            id: attempt.request.to_string(),
            method: METHOD,
            headers: headers.collect(),
            body,
            answer: answer.map(|answer| RevealedAnswer::of(attempt.status, answer)),
            origin: attempt.origin,
        }
    }
}

impl RevealedAnswer {
    fn of(status: Option<u16>, answer: AnswerRecord) -> Self {
        let AnswerRecord { headers, body, is_truncated } = answer;
        let headers = headers.into_iter().map(|(name, value)| RevealedHeader { name, value }).collect();
        Self { status, headers, body, is_truncated }
    }
}
