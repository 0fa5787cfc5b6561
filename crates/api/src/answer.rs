//! Answers: JSON, with the headers that belong to them.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An answer with a body.
pub(crate) struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Answer {
    /// The thing that was asked for.
    pub(crate) fn ok(body: &impl Serialize) -> Self {
        Self::of(StatusCode::OK, body)
    }

    /// A thing that was made, and where it is to be found.
    pub(crate) fn created(location: &str, body: &impl Serialize) -> Self {
        Self::of(StatusCode::CREATED, body).with_location(location)
    }

    /// * `body`: rendered as JSON.
    pub(crate) fn of(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("our own answers make JSON");
        Self { status, headers: Vec::new(), body }
    }

    /// What was answered before.
    ///
    /// * `body`: JSON.
    pub(crate) fn again(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// The same with a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same with where a thing is to be found.
    pub(crate) fn with_location(self, path: &str) -> Self {
        let path = HeaderValue::from_str(path).expect("a path of ids is a header's value");
        self.with_header(LOCATION, path)
    }

    /// The same with the version of the thing, by which a change can be made conditional.
    pub(crate) fn with_version(self, version: i64) -> Self {
        let tag = HeaderValue::from_str(&format!("\"{version}\"")).expect("digits are a header's value");
        self.with_header(ETAG, tag)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// A moment as every answer writes it: RFC 3339, in UTC.
pub(crate) fn moment(moment: OffsetDateTime) -> String {
    moment.format(&Rfc3339).expect("years of a database have four digits")
}
