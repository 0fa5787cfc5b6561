//! Reads a request that somebody pasted: its headers from whatever a log, a browser or a program prints, its body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bellhop_model::{EventId, Secret};

use crate::problem::FieldProblem;

/// The fields of the form.
pub(super) const SECRET: &str = "secret";
pub(super) const HEADERS: &str = "headers";
pub(super) const BODY: &str = "body";

/// Bytes of an HMAC-SHA256.
const MAC_BYTES: usize = 32;

/// A request that could be read.
#[derive(Debug)]
pub(super) struct Pasted {
    pub(super) secret: Secret,
    pub(super) id: EventId,
    /// Unix seconds.
    pub(super) timestamp: i64,
    /// Each of the signatures, with its version; at least one is of ours.
    pub(super) signatures: Vec<String>,
    pub(super) body: String,
}

impl Pasted {
    /// Reads what was pasted.
    ///
    /// # Errors
    /// All that is wrong with any field; no text of a secret is repeated.
    pub(super) fn read(secret: &str, headers: &str, body: &str) -> Result<Self, Vec<FieldProblem>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: String| errors.push(FieldProblem::new(field, problem));
        let secret = read_secret(secret.trim()).map_err(|problem| keep(SECRET, problem)).ok();
        let id = read_id(headers).map_err(|problem| keep(HEADERS, problem)).ok();
        let timestamp = read_timestamp(headers).map_err(|problem| keep(HEADERS, problem)).ok();
        let signatures = read_signatures(headers).map_err(|problem| keep(HEADERS, problem)).ok();
        if body.trim().is_empty() {
            keep(BODY, "the body is missing: paste what came, byte for byte".to_owned());
        }
        match (secret, id, timestamp, signatures) {
            (Some(secret), Some(id), Some(timestamp), Some(signatures)) if errors.is_empty() => {
                Ok(Self { secret, id, timestamp, signatures, body: body.to_owned() })
            }
            _ => Err(errors),
        }
    }
}

fn read_secret(text: &str) -> Result<Secret, String> {
    if text.is_empty() {
        return Err("the secret is missing: the webhook's page shows it".to_owned());
    }
    if text.starts_with("test_") || text.starts_with("live_") {
        return Err(
            "this is an API key: what signs is the webhook's secret, which begins with `whsec_`".to_owned()
        );
    }
    text.parse().map_err(|error| format!("this is no secret: {error}; copy it again, whole"))
}

fn read_id(headers: &str) -> Result<EventId, String> {
    let id = value(headers, "webhook-id").ok_or_else(|| missing("webhook-id"))?;
    id.parse().map_err(|_| "the `webhook-id` is cut off, or there is more in it than the id".to_owned())
}

fn read_timestamp(headers: &str) -> Result<i64, String> {
    let timestamp = value(headers, "webhook-timestamp").ok_or_else(|| missing("webhook-timestamp"))?;
    let is_number = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let wrong = || "the `webhook-timestamp` is no number of seconds such as `1732600000`".to_owned();
    if is_number { timestamp.parse().map_err(|_| wrong()) } else { Err(wrong()) }
}

fn read_signatures(headers: &str) -> Result<Vec<String>, String> {
    let header = value(headers, "webhook-signature").ok_or_else(|| missing("webhook-signature"))?;
    let signatures: Vec<String> = header.split_whitespace().map(ToOwned::to_owned).collect();
    let mut ours = signatures.iter().filter_map(|signature| signature.strip_prefix("v1,")).peekable();
    if ours.peek().is_none() {
        return Err("the `webhook-signature` has none of version 1, which begin with `v1,`".to_owned());
    }
    let is_whole = |mac: &str| STANDARD.decode(mac).is_ok_and(|mac| mac.len() == MAC_BYTES);
    if !ours.all(is_whole) {
        return Err(
            "the `webhook-signature` is cut off or changed: 44 characters follow `v1,`, the last of them `=`"
                .to_owned(),
        );
    }
    Ok(signatures)
}

fn missing(name: &str) -> String {
    format!("the `{name}` is missing: paste the request's headers as they came")
}

/// Finds a header in text that a person copied from anywhere: lines of HTTP, `-H` of curl, JSON, a table, or a CGI
/// environment.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let plain: String = text.chars().map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect();
    // The same length in bytes, so a place in one is a place in the other.
    let start = plain.find(name)? + name.len();
    let rest = text[start..].trim_start_matches(|c: char| c.is_whitespace() || "\"':=,[>|".contains(c));
    let end = rest.find(['"', '\'', '\n', '\r', '\\', '\t', ']', '}', '|']).unwrap_or(rest.len());
    let value = rest[..end].trim_end_matches([' ', ',', ';']);
    let is_next_name = value.to_ascii_lowercase().replace('_', "-").starts_with("webhook-");
    (!value.is_empty() && !is_next_name).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn complaints(secret: &str, headers: &str, body: &str) -> String {
        format!("{:?}", Pasted::read(secret, headers, body).expect_err("it is wrong"))
    }

    #[test]
    fn headers_are_found_in_whatever_prints_them() {
        for text in [
            format!(
                "Webhook-Id: evt_1\r\nWebhook-Timestamp: 1614265330\r\nWebhook-Signature: {SIGNATURE} v1a,x\r\n"
            ),
            format!(
                "curl https://x -H 'webhook-id: evt_1' \\\n  -H 'webhook-timestamp: 1614265330' \\\n -H 'webhook-signature: {SIGNATURE} v1a,x'"
            ),
            format!(
                r#"{{"webhook-id":"evt_1","webhook-timestamp":"1614265330","webhook-signature":"{SIGNATURE} v1a,x"}}"#
            ),
            format!(
                r#"["webhook-id", "evt_1", "webhook-timestamp", "1614265330", "webhook-signature", "{SIGNATURE} v1a,x"]"#
            ),
            format!("webhook-id\tevt_1\nwebhook-timestamp\t1614265330\nwebhook-signature\t{SIGNATURE} v1a,x"),
            format!(
                "HTTP_WEBHOOK_ID=evt_1\nHTTP_WEBHOOK_TIMESTAMP=1614265330\nHTTP_WEBHOOK_SIGNATURE={SIGNATURE} v1a,x"
            ),
            format!(
                "webhook-id:\nevt_1\nwebhook-timestamp:\n1614265330\nwebhook-signature:\n{SIGNATURE} v1a,x"
            ),
        ] {
            assert_eq!(read_id(&text).map(|id| id.to_string()), Ok("evt_1".to_owned()), "{text}");
            assert_eq!(read_timestamp(&text), Ok(1_614_265_330), "{text}");
            assert_eq!(read_signatures(&text), Ok(vec![SIGNATURE.to_owned(), "v1a,x".to_owned()]), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_field() {
        let headers = format!("webhook-id: evt_1\nwebhook-timestamp: 1\nwebhook-signature: {SIGNATURE}");
        let secret = Secret::from_random(&[7; 32]).expose();
        assert!(Pasted::read(&format!(" {secret}\n"), &headers, "{}").is_ok());
        for (secret, expected) in [
            ("", "the secret is missing"),
            ("test_019ab3c4", "is an API key"),
            ("whsec_abc", "base64"),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with `whsec_`"),
        ] {
            let told = complaints(secret, &headers, "{}");
            assert!(told.contains("\"secret\"") && told.contains(expected), "{told}");
        }
        for (from, to, expected) in [
            ("webhook-id", "x-id", "`webhook-id` is missing"),
            ("evt_1", "", "`webhook-id` is missing"),
            ("evt_1", "evt.1", "`webhook-id` is cut off"),
            ("timestamp: 1", "timestamp: soon", "no number of seconds"),
            ("timestamp: 1", "timestamp: 99999999999999999999", "no number of seconds"),
            ("v1,", "v2,", "version 1"),
            ("OE=", "O", "cut off or changed"),
        ] {
            let told = complaints(&secret, &headers.replace(from, to), "{}");
            assert!(told.contains("\"headers\"") && told.contains(expected), "{told}");
        }
        assert!(complaints(&secret, &headers, "\r\n").contains("\"body\""));
    }

    #[test]
    fn a_secret_is_never_repeated() {
        for secret in ["whsec_hunter2", "hunter2"] {
            assert!(!complaints(secret, "", "").contains("hunter2"));
        }
    }
}
