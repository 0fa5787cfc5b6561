//! Goal: a message is an event only where everything it says agrees; every refusal names the place.

use super::*;

const DATA: &str = include_str!("../../fixtures/appointment.scheduled.json");
const ORGANISATION: &str = "org_7eUZfyQq3xxxXXXxJlf";

fn body() -> String {
    let id = "evt_1".parse().expect("valid");
    let event_type = "appointment.scheduled".parse().expect("valid");
    let body = Event::encode(&id, &event_type, Mode::Live, OffsetDateTime::UNIX_EPOCH, DATA);
    String::from_utf8(body.expect("encodes")).expect("UTF-8")
}

fn parse(body: &str, labels: &EventLabels<'_>) -> Result<Event, EventError> {
    Event::parse(body.as_bytes(), Some(Mode::Live), labels)
}

fn agreeing() -> EventLabels<'static> {
    EventLabels {
        routing_key: Some("live.appointment.scheduled"),
        message_id: Some("evt_1"),
        message_type: Some("appointment.scheduled"),
        content_type: Some("Application/JSON; charset=utf-8"),
        organisation: Some(ORGANISATION),
    }
}

#[test]
fn an_encoded_event_is_read_back() {
    let event = parse(&body(), &agreeing()).expect("agrees");
    assert_eq!(event.id.as_str(), "evt_1");
    assert_eq!(event.organisation.as_str(), ORGANISATION);
    assert_eq!(event.routing_key(), "live.appointment.scheduled");
    let everything = crate::Expansion { patient: true, task: true, window: true };
    assert_eq!(event.payload.render(everything.into()), format!(r#"{{"data":{}}}"#, DATA.trim()));
    assert!(parse(&body(), &EventLabels::default()).is_ok(), "labels are optional");
}

#[test]
fn any_disagreement_is_refused() {
    let cases = [
        EventLabels { routing_key: Some("test.appointment.scheduled"), ..agreeing() },
        EventLabels { routing_key: Some("live.appointment.created"), ..agreeing() },
        EventLabels { message_id: Some("evt_2"), ..agreeing() },
        EventLabels { message_type: Some("appointment.created"), ..agreeing() },
        EventLabels { content_type: Some("text/plain"), ..agreeing() },
        EventLabels { organisation: Some("org_other"), ..agreeing() },
    ];
    for labels in cases {
        let error = parse(&body(), &labels).expect_err("disagrees");
        assert!(matches!(error, EventError::Disagreement { .. }), "{labels:?}: {error}");
    }
    let wrong_queue = Event::parse(body().as_bytes(), Some(Mode::Test), &agreeing());
    assert!(matches!(wrong_queue, Err(EventError::Disagreement { label: "the queue", .. })));
    let other_owner = body().replacen(ORGANISATION, "org_other", 1);
    let error = parse(&other_owner, &EventLabels::default()).expect_err("two owners");
    assert!(matches!(error, EventError::Disagreement { label: "`data.organisationId`", .. }), "{error}");
}

#[test]
fn malformed_bodies_are_refused_with_the_place() {
    let cases = [
        (body().replace(r#""id":"evt_1","#, ""), "`id` is missing"),
        (body().replace(r#""id":"evt_1","#, r#""id":"evt_1","id":"evt_1","#), "`id` occurs twice"),
        (body().replace(r#""id":"evt_1""#, r#""id":1"#), "a member is not of the kind"),
        (body()[..100].to_owned(), "it ends too early"),
        ("nonsense".to_owned(), "not well-formed JSON"),
        (body().replace("1970-01-01", "1970-99-01"), "`occurredAt`"),
        (body().replace("1970-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"), "`occurredAt`"),
        (body().replace("1970-01-01T00:00:00Z", "0000-01-01T00:00:00+01:00"), "`occurredAt`"),
        (body().replace("appointment.scheduled", "appointment"), "event type"),
        (body().replace(r#""mode":"live""#, r#""mode":"Live""#), "is not a mode"),
        (body().replace(r#""evt_1""#, r#""evt.1""#), "event id"),
    ];
    for (body, expected) in cases {
        let error = parse(&body, &EventLabels::default()).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
    }
}

#[test]
fn hostile_sizes_and_bytes_are_refused() {
    let oversized = vec![b' '; EVENT_BYTES_MAX + 1];
    let not_utf8 = b"{\"id\":\"\xff\"}";
    let labels = EventLabels::default();
    assert_eq!(
        Event::parse(&oversized, None, &labels),
        Err(EventError::Oversized { bytes: EVENT_BYTES_MAX + 1 })
    );
    assert_eq!(Event::parse(not_utf8, None, &labels), Err(EventError::NotUtf8 { position: 7 }));
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    assert!(parse(&deep, &labels).is_err(), "depth must not overflow the stack");
}

#[test]
fn no_refusal_repeats_the_payload() {
    let body =
        body().replace("These are my appointment notes", "SECRET").replace("\"data\":{", "\"data\":[{");
    for error in [parse(&body, &EventLabels::default()), parse(&body[..400], &EventLabels::default())] {
        assert!(!error.expect_err("malformed").to_string().contains("SECRET"));
    }
}
