//! Reading a request's body: bounded, JSON, and refused by the field that is wrong.

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::around::AwaitingBody;
use crate::problem::{FieldProblem, Problem};
use crate::state::Api;

/// A body that was JSON of the expected shape.
pub(crate) struct Json<T>(pub(crate) T);

/// The bytes of a body, JSON or not.
pub(crate) struct Raw(pub(crate) Bytes);

impl FromRequest<Api> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let bytes_max = api.options.body_bytes_max;
        let too_large = || {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "The body is too large",
                format!("the body may have {bytes_max} bytes"),
            )
        };
        let length =
            request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| bytes_max < length) {
            return Err(too_large());
        }
        let awaiting = request.extensions().get::<AwaitingBody>().cloned().unwrap_or_default();
        awaiting.set(true);
        let collected = Limited::new(request.into_body(), bytes_max).collect().await;
        awaiting.set(false);
        match collected {
            Ok(collected) => Ok(Self(collected.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
            Err(_) => Err(Problem::malformed("body", "ended before its length was reached")),
        }
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "The body is not JSON",
                "send JSON, and say so by the header `Content-Type: application/json`",
            ));
        }
        let Raw(bytes) = Raw::from_request(request, api).await?;
        parse(&bytes).map(Self)
    }
}

/// Reads JSON; what cannot be read is told by its place.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            let field = if path == "." { "body".to_owned() } else { path };
            return Problem::invalid(vec![FieldProblem::new(field, format!("is wrong: {inner}"))]);
        }
        Problem::malformed("body", format!("is no JSON: {inner}"))
    })?;
    deserializer.end().map_err(|error| Problem::malformed("body", format!("is no JSON: {error}")))?;
    Ok(parsed)
}

fn is_json(request: &Request) -> bool {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        #[expect(dead_code, reason = "only its being read is tested")]
        names: Vec<String>,
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        let cases = [
            ("", "malformed", "body"),
            ("{\"names\":[]} x", "malformed", "body"),
            ("[", "malformed", "body"),
            ("[]", "invalid", "body"),
            ("null", "invalid", "body"),
            ("{\"names\":[\"a\",7]}", "invalid", "names[1]"),
            ("{\"names\":[],\"name\":1}", "invalid", "name"),
            ("{}", "invalid", "body"),
        ];
        for (text, kind, field) in cases {
            let problem = parse::<Thing>(text.as_bytes()).expect_err(text);
            let shown = serde_json::to_value(&problem).expect("JSON");
            assert_eq!(shown["type"], format!("urn:bellhop:problem:{kind}"), "{text}");
            assert_eq!(shown["errors"][0]["field"], field, "{text} {shown}");
        }
        assert!(parse::<Thing>(b" {\"names\":[\"a\"]} ").is_ok());
        let deep = format!("{{\"names\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(parse::<Thing>(deep.as_bytes()).is_err(), "and no stack is spent on it");
    }
}
