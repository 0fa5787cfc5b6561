//! What is shown of a request: who, which attempt, whether the signature holds, and the payload.

use bellhop_model::{Secret, verify};
use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

/// How far a timestamp may be off, as the published libraries have it, in seconds.
const TOLERANCE_SECONDS: u64 = 5 * 60;

/// A request as received.
pub(super) struct Received<'a> {
    pub(super) number: usize,
    pub(super) head: &'a Parts,
    pub(super) body: &'a [u8],
    pub(super) signature: Judgement,
}

/// Whether the signature holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Verified,
    Wrong,
    Outdated,
    Unsigned,
    NoSecret,
}

impl Judgement {
    fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Wrong => "wrong",
            Self::Outdated => "outdated",
            Self::Unsigned => "unsigned",
            Self::NoSecret => "not checked",
        }
    }
}

/// Judges a signature as a receiver should: headers there, timestamp recent, signature by one of the secrets.
pub(super) fn judge(secrets: &[Secret], headers: &HeaderMap, body: &[u8]) -> Judgement {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(timestamp), Some(signature)) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
    else {
        return Judgement::Unsigned;
    };
    let Ok(timestamp) = timestamp.parse::<i64>() else { return Judgement::Unsigned };
    if secrets.is_empty() {
        return Judgement::NoSecret;
    }
    if !secrets.iter().any(|secret| verify(secret, id, timestamp, body, signature).is_ok()) {
        return Judgement::Wrong;
    }
    if TOLERANCE_SECONDS < OffsetDateTime::now_utc().unix_timestamp().abs_diff(timestamp) {
        return Judgement::Outdated;
    }
    Judgement::Verified
}

impl Received<'_> {
    /// For people: one head line, then the payload, indented.
    pub(super) fn as_text(&self, status: StatusCode, hangs: bool) -> String {
        let header = |name: &str| self.header(name).unwrap_or("-");
        let test = if self.is_test_event() { "  test event: nothing happened" } else { "" };
        let answered =
            if hangs { "left hanging".to_owned() } else { format!("answered {}", status.as_u16()) };
        let payload = match std::str::from_utf8(self.body) {
            Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => indent(text),
            _ => format!("  ({} bytes that are not JSON)", self.body.len()),
        };
        format!(
            "#{} {} {}  attempt {}  {}  {} {}{test}\n  signature {}, {answered}\n{payload}\n",
            self.number,
            header("webhook-event"),
            header("webhook-id"),
            header("webhook-attempt"),
            header("webhook-mode"),
            self.head.method,
            self.head.uri.path(),
            self.signature.as_str(),
        )
    }

    /// For scripts: one object.
    pub(super) fn as_json(&self, status: StatusCode) -> Value {
        let headers: Map<String, Value> = self
            .head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes()))))
            .collect();
        json!({
            "number": self.number,
            "method": self.head.method.as_str(),
            "path": self.head.uri.path(),
            "event": self.header("webhook-event"),
            "id": self.header("webhook-id"),
            "attempt": self.header("webhook-attempt").and_then(|attempt| attempt.parse::<u64>().ok()),
            "mode": self.header("webhook-mode"),
            "testEvent": self.is_test_event(),
            "signature": self.signature.as_str(),
            "answered": status.as_u16(),
            "headers": headers,
            "body": String::from_utf8_lossy(self.body),
        })
    }

    fn is_test_event(&self) -> bool {
        self.header("webhook-test-event") == Some("true")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Breaks well-formed JSON into indented lines. Order, numbers and escapes stay as they were sent, which printing a
/// parsed value would not promise.
fn indent(text: &str) -> String {
    let mut lines = String::from("  ");
    let (mut depth, mut in_string, mut is_escaped) = (1, false, false);
    for character in text.chars() {
        let was_in_string = in_string;
        if character == '"' && !is_escaped {
            in_string = !in_string;
        }
        is_escaped = character == '\\' && was_in_string && !is_escaped;
        match character {
            _ if was_in_string || in_string => lines.push(character),
            '{' | '[' => {
                depth += 1;
                lines.push(character);
                break_line(&mut lines, depth);
            }
            '}' | ']' => {
                depth -= 1;
                break_line(&mut lines, depth);
                lines.push(character);
            }
            ',' => {
                lines.push(character);
                break_line(&mut lines, depth);
            }
            ':' => lines.push_str(": "),
            _ if character.is_ascii_whitespace() => {}
            _ => lines.push(character),
        }
    }
    lines
}

fn break_line(lines: &mut String, depth: usize) {
    lines.push('\n');
    lines.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use bellhop_model::Signer;

    use super::*;

    fn signed_at(timestamp: i64, body: &[u8]) -> (Secret, HeaderMap) {
        let secret = Secret::from_random(&[5; 32]);
        let id = "evt_1".parse().expect("an id");
        let signature = Signer::new(&[secret.clone().into()]).sign(&id, timestamp, body);
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "evt_1".parse().expect("a header"));
        headers.insert("webhook-timestamp", timestamp.into());
        headers.insert("webhook-signature", signature.as_str().parse().expect("a header"));
        (secret, headers)
    }

    #[test]
    fn a_payload_is_indented_without_being_rewritten() {
        let text = r#"{"b": "x, {\"y\": [\\", "a" : [112.50,{ }]}"#;
        let expected = "  {\n    \"b\": \"x, {\\\"y\\\": [\\\\\",\n    \"a\": [\n      112.50,\n      {\n        \n      }\n    ]\n  }";
        assert_eq!(indent(text), expected);
    }

    #[test]
    fn a_signature_is_judged_by_key_body_and_age() {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let (secret, headers) = signed_at(now, b"{}");
        let secrets = [Secret::from_random(&[6; 32]), secret.clone()];
        assert_eq!(judge(&secrets, &headers, b"{}"), Judgement::Verified);
        assert_eq!(judge(&secrets, &headers, b"{ }"), Judgement::Wrong);
        assert_eq!(judge(&secrets[..1], &headers, b"{}"), Judgement::Wrong);
        assert_eq!(judge(&[], &headers, b"{}"), Judgement::NoSecret);
        assert_eq!(judge(&secrets, &HeaderMap::new(), b"{}"), Judgement::Unsigned);
        let (secret, headers) = signed_at(now - 3600, b"{}");
        assert_eq!(judge(&[secret], &headers, b"{}"), Judgement::Outdated);
    }
}
