//! Refusals: RFC 9457 problem documents that name the field and the remedy.

use std::time::Duration;

use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bellhop_store::{Refusal, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Most problems of fields that are told at once.
const FIELD_PROBLEMS_MAX: usize = 32;

/// Why a request was not done.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// What kind of problem it is: `urn:bellhop:problem:` and a word that programs may compare.
    #[serde(rename = "type")]
    #[schema(example = "urn:bellhop:problem:invalid")]
    kind: String,
    /// The same in words for people.
    #[schema(example = "The request is invalid")]
    title: &'static str,
    /// The status of the answer.
    #[schema(example = 422)]
    status: u16,
    /// What is wrong with this request, and what to do about it.
    detail: String,
    /// Which fields are wrong, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
    /// The request's id, to be named when asking for help; also the header `x-request-id`.
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldProblem {
    /// The field: a path into the body such as `events[0]`, or the name of a parameter or header.
    #[schema(example = "url")]
    field: String,
    /// What is wrong with it, and what would be right.
    message: String,
}

impl Problem {
    /// * `kind`: the last word of the type.
    pub(crate) fn new(
        status: StatusCode,
        kind: &str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: format!("urn:bellhop:problem:{kind}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            request_id: None,
            headers: Vec::new(),
        }
    }

    /// Fields of the body are wrong.
    pub(crate) fn invalid(errors: Vec<FieldProblem>) -> Self {
        let title = "The request is invalid";
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", title, told(&errors));
        problem.about(errors)
    }

    /// A parameter or header is wrong, or the body is no JSON.
    pub(crate) fn malformed(field: &str, message: impl Into<String>) -> Self {
        Self::unreadable(vec![FieldProblem::new(field, message)])
    }

    /// Parameters are wrong.
    pub(crate) fn unreadable(errors: Vec<FieldProblem>) -> Self {
        let problem =
            Self::new(StatusCode::BAD_REQUEST, "malformed", "The request cannot be read", told(&errors));
        problem.about(errors)
    }

    /// Nobody was recognised.
    pub(crate) fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "No valid key was given", detail)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"bellhop\""))
    }

    /// Somebody was recognised who may not do this.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "This key may not do that", detail)
    }

    /// There is no such thing, as far as who asks may know.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    /// The state of things does not allow it.
    pub(crate) fn conflict(kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, title, detail)
    }

    /// The body did not come.
    pub(crate) fn too_slow() -> Self {
        let detail = "the body took too long to arrive; send the request again, faster";
        Self::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The request took too long", detail)
            .with_header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// Somebody asked too often.
    pub(crate) fn too_often(retry_after: Duration, whose: &str) -> Self {
        let seconds = retry_after.as_secs_f64().ceil().max(1.0);
        let detail = format!("{whose} asked too often; the next request is served in {seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests", detail)
            .retrying_after(retry_after)
    }

    /// We are wrong. What exactly is for the log.
    pub(crate) fn internal() -> Self {
        let detail = "this is our fault and is in our log; name the request's id when you ask about it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here", detail)
    }

    /// Something we need is away for a while.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "This does not work right now", detail)
            .retrying_after(Duration::from_secs(1))
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What kind of problem it is, in words for people.
    pub(crate) fn title(&self) -> &'static str {
        self.title
    }

    /// What is wrong with this request, and what to do about it.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Which fields are wrong, one by one.
    pub(crate) fn errors(&self) -> &[FieldProblem] {
        &self.errors
    }

    /// The same, naming fields.
    pub(crate) fn about(mut self, mut errors: Vec<FieldProblem>) -> Self {
        errors.truncate(FIELD_PROBLEMS_MAX);
        self.errors = errors;
        self
    }

    /// The same with a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same with the request's id.
    pub(crate) fn of_request(mut self, id: &str) -> Self {
        self.request_id = Some(id.to_owned());
        self
    }

    /// The same, with when to ask again.
    pub(crate) fn retrying_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let value = HeaderValue::from_str(&seconds.to_string()).expect("digits are a header's value");
        self.with_header(RETRY_AFTER, value)
    }
}

impl FieldProblem {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// The field.
    pub(crate) fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it, and what would be right.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl Problem {
    /// What is not owed again, and why; each kind is one that programs may tell apart.
    fn refused(refusal: &Refusal) -> Self {
        let (kind, title) = match refusal {
            Refusal::UnderWay { .. } | Refusal::AlreadyOwed { .. } => ("under-way", "It is under way"),
            Refusal::PayloadGone(_) | Refusal::Expunged { .. } => ("payload-gone", "The payload is gone"),
            Refusal::WebhookRemoved(_) => ("removed", "The webhook is removed"),
            Refusal::WebhookDisabled { .. } => ("disabled", "The webhook is disabled"),
            Refusal::RecoveryUnderWay { .. } => ("recovery-under-way", "A recovery is under way"),
            Refusal::TooManyToCount { .. } => ("too-many", "There are too many to count"),
            Refusal::NothingToRecover(_) => ("nothing", "There is nothing to recover"),
            Refusal::NotEnded(_) => ("not-ended", "It has not ended"),
            Refusal::RecoveryEnded { .. } => ("ended", "The recovery has ended"),
        };
        Self::conflict(kind, title, refusal.to_string())
    }
}

impl From<StoreError> for Problem {
    /// What the organisation can mend is told; what only the operator can is logged and hidden.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UnknownWebhook(_)
            | StoreError::UnknownKey(_)
            | StoreError::UnknownDelivery(_)
            | StoreError::UnknownRequest { .. }
            | StoreError::UnknownRecovery(_)
            | StoreError::UnknownEvent { .. } => Self::not_found(error.to_string()),
            StoreError::Refused(refusal) => Self::refused(&refusal),
            StoreError::Duplicate { .. } => {
                Self::conflict("duplicate", "This URL is registered already", error.to_string())
            }
            StoreError::TooManyWebhooks { .. } | StoreError::TooManyKeys => {
                Self::conflict("limit", "The limit is reached", error.to_string())
            }
            StoreError::Changed { .. } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "changed",
                "It has changed meanwhile",
                error.to_string(),
            ),
            StoreError::TooManySecrets => Self::conflict("limit", "The limit is reached", error.to_string()),
            StoreError::PayloadLevel(_) => {
                Self::invalid(vec![FieldProblem::new("payload", format!("is wrong: {error}"))])
            }
            StoreError::SameUrl { .. } => {
                Self::invalid(vec![FieldProblem::new("url", format!("is wrong: {error}"))])
            }
            StoreError::IdempotencyKeyUsed => {
                Self::invalid(vec![FieldProblem::new("idempotency-key", format!("is wrong: {error}"))])
            }
            StoreError::EventTypes(_) => {
                Self::invalid(vec![FieldProblem::new("events", format!("is wrong: {error}"))])
            }
            StoreError::Url(_) => Self::invalid(vec![FieldProblem::new("url", format!("is wrong: {error}"))]),
            // It may last, and still is no fault of this program or of who asks.
            StoreError::NotMigrated | StoreError::PostgresRefused { .. } => {
                tracing::error!(%error, "no request can be served");
                Self::unavailable("our database is not ready for us; try again later")
            }
            error if error.is_transient() => {
                tracing::warn!(%error, "a request could not be served for now");
                Self::unavailable("our database cannot be reached; try again in a moment")
            }
            error => {
                tracing::error!(%error, "a request could not be served");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        // The outermost layer adds the request's id and renders it.
        response.extensions_mut().insert(self);
        response
    }
}

/// One problem in words, or how many there are.
fn told(errors: &[FieldProblem]) -> String {
    match errors {
        [one] => format!("`{}` {}", one.field, one.message),
        many => format!("{} fields are wrong; `errors` names each", many.len()),
    }
}
