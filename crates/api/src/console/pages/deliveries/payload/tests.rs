use bellhop_model::DeliveryState;

use super::*;
use crate::console::samples::{HARMLESS, HOSTILE, NOW, delivery, request, webhook};

fn shown(body: &str, answer: &str) -> String {
    let (delivery, webhook) = (delivery(DeliveryState::Delivered), webhook());
    let revealed = Revealed {
        attempt: request(1, 1),
        headers: vec![("webhook-id", "evt_1".to_owned()), ("content-length", body.len().to_string())],
        body: body.to_owned(),
        answer: Some(AnswerRecord {
            headers: vec![("x".to_owned(), answer.to_owned())],
            body: answer.to_owned(),
            is_truncated: true,
        }),
    };
    let payload =
        ShownPayload { now: NOW, delivery: &delivery, webhook: Some(&webhook), revealed: &revealed };
    payload.whole().into_string()
}

#[test]
fn what_was_sent_is_shown_raw_readable_and_as_a_command() {
    let page = shown(r#"{"data":{"cost":112.50}}"#, "ok");
    for told in [
        "{&quot;data&quot;:{&quot;cost&quot;:112.50}}",
        "    &quot;cost&quot;: 112.50",
        "--data-raw '{&quot;data&quot;",
        "https://hooks.example/t0ken",
        "webhook-id: evt_1",
        "its beginning",
        "on record in the audit",
    ] {
        assert!(page.contains(told), "`{told}` is missing in {page}");
    }
}

#[test]
fn whatever_was_sent_or_answered_is_text() {
    let page = shown(&format!("{{\"data\":\"{HOSTILE}\"}}"), HOSTILE);
    assert!(page.contains(HARMLESS) && !page.contains("<script>alert"), "{page}");
}

#[test]
fn a_large_body_is_shown_once() {
    let body = format!("{{\"data\":\"{}\"}}", "x".repeat(60_000));
    let page = shown(&body, "ok");
    assert!(page.contains("@payload.json") && !page.contains("Body, made readable"), "{}", page.len());
    assert!(page.len() < 80_000, "{}", page.len());
}
