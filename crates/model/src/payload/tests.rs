//! Goal: what an endpoint receives differs from what was published in the collapsed objects and nowhere else.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const SCHEDULED: &str = include_str!("../../fixtures/appointment.scheduled.json");
const EXPANDED: &str = include_str!("../../fixtures/appointment.cancelled.expanded.json");
const EVERYTHING: Expansion = Expansion { patient: true, task: true, window: true };

fn render(text: &str, level: impl Into<PayloadLevel>) -> String {
    Payload::parse(text).expect("a payload").0.render(level.into())
}

fn appointment(members: &str) -> String {
    format!(r#"{{"organisationId":"org_a",{members}}}"#)
}

#[test]
fn a_fully_expanded_payload_is_the_published_text() {
    for fixture in [SCHEDULED, EXPANDED] {
        assert_eq!(render(fixture, EVERYTHING), format!(r#"{{"data":{fixture}}}"#));
    }
}

#[test]
fn each_object_is_collapsed_on_its_own() {
    let text = appointment(
        r#""patient":{"name":"A","id":"p_1"},"task":{"id":"t_1","x":1},"window":{"id":"w_1","y":2}"#,
    );
    let body = render(&text, Expansion { task: true, ..Expansion::default() });
    let expected = appointment(r#""patient":{"id":"p_1"},"task":{"id":"t_1","x":1},"window":{"id":"w_1"}"#);
    assert_eq!(body, format!(r#"{{"data":{expected}}}"#));
}

#[test]
fn the_fixture_keeps_numbers_unicode_and_order_when_collapsed() {
    let body = render(EXPANDED, Expansion::default());
    assert!(body.contains(r#""patient": {"id":"p_2uYyYVbT1rQ7mLk9Za"},"#), "{body}");
    assert!(!body.contains("9990000018"), "the patient's number must be gone");
    assert!(body.contains(r#""sys": 112.50"#) && body.contains(r#"späti ☂ \u2028 \"quoted\""#), "{body}");
    let practitioner = r#""practitioner": { "id": "pr_Edzpwwr2f1idMFpfBb5" }"#;
    assert!(body.contains(practitioner), "{body}");
}

#[test]
fn collapsing_finds_escaped_and_repeated_names() {
    let text = appointment(r#""p\u0061tient":{"id":"p_1","a":1},"patient":{"b":2,"\u0069d":"p_2"}"#);
    let expected = appointment(r#""p\u0061tient":{"id":"p_1"},"patient":{"id":"p_2"}"#);
    assert_eq!(render(&text, Expansion::default()), format!(r#"{{"data":{expected}}}"#));
}

#[test]
fn null_objects_and_names_deeper_down_are_left_alone() {
    let text = appointment(r#""patient":null,"metadata":{"patient":{"a":1}},"window" : null"#);
    assert_eq!(render(&text, Expansion::default()), format!(r#"{{"data":{text}}}"#));
}

#[test]
fn the_fixture_is_its_id_and_nothing_else_when_only_that_is_wanted() {
    let body = render(EXPANDED, PayloadLevel::IdOnly);
    assert_eq!(body, r#"{"data":{"id":"apt_0JtGSvLh2oKx3fWcYq"}}"#);
}

#[test]
fn an_id_that_is_missing_repeated_or_no_text_is_null_when_only_that_is_wanted() {
    for member in [
        r#""note":"x""#,
        r#""id":7"#,
        r#""id":null"#,
        r#""id":{"nhsNumber":"9990000018"}"#,
        r#""id":["x"]"#,
        r#""id":"apt_1","id":"apt_2""#,
        r#""patient":{"id":"p_1"}"#,
    ] {
        assert_eq!(render(&appointment(member), PayloadLevel::IdOnly), r#"{"data":{"id":null}}"#, "{member}");
    }
    let escaped = appointment(r#""i\u0064":"apt\u005f1""#);
    assert_eq!(render(&escaped, PayloadLevel::IdOnly), r#"{"data":{"id":"apt\u005f1"}}"#);
}

#[test]
fn what_cannot_be_collapsed_is_refused() {
    for member in [
        r#""patient":"p_1""#,
        r#""patient":{}"#,
        r#""patient":{"id":1}"#,
        r#""patient":{"id":null}"#,
        r#""patient":{"id":"a","id":"b"}"#,
        r#""patient":[{"id":"a"}]"#,
        r#""patient":7"#,
    ] {
        let result = Payload::parse(&appointment(member));
        assert_eq!(result.expect_err(member), PayloadError::NotCollapsible("patient"));
    }
}

#[test]
fn whose_it_is_must_be_said_once() {
    assert_eq!(Payload::parse("{}").expect_err("none"), PayloadError::OrganisationMissing);
    assert_eq!(
        Payload::parse(r#"{"organisationId":null}"#).expect_err("null"),
        PayloadError::OrganisationMissing
    );
    assert_eq!(
        Payload::parse(&appointment(r#""organisationId":"org_b""#)).expect_err("two"),
        PayloadError::OrganisationRepeated
    );
    assert!(matches!(Payload::parse("[1]"), Err(PayloadError::NotAnObject { .. })));
    assert!(matches!(Payload::parse(r#"{"a":"#), Err(PayloadError::NotAnObject { .. })));
}

/// Any JSON object, with collapsible names likely at the top.
fn object() -> impl Strategy<Value = Vec<(String, Value)>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".*", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    });
    let collapsible = (".*", ".*").prop_map(|(id, extra)| serde_json::json!({ "id": id, "extra": extra }));
    let member = prop_oneof![
        ("[a-z]{1,12}x", value).boxed(),
        (prop::sample::select(COLLAPSIBLE.map(String::from).to_vec()), collapsible).boxed(),
    ];
    prop::collection::vec(member, 0..8)
}

proptest! {
    #[test]
    fn rendering_changes_only_the_collapsed_objects(members in object(), patient: bool, task: bool, window: bool) {
        let expansion = Expansion { patient, task, window };
        let text_of = |collapse: bool| {
            let texts = members.iter().map(|(name, value)| {
                let kind = COLLAPSIBLE.iter().position(|known| known == name);
                let value = match kind {
                    Some(kind) if collapse && !expansion.covers(kind) => format!(r#"{{"id":{}}}"#, value["id"]),
                    _ => value.to_string(),
                };
                format!("{}:{value}", Value::from(name.as_str()))
            });
            let all: Vec<String> = std::iter::once(r#""organisationId":"org_a""#.to_owned()).chain(texts).collect();
            format!("{{{}}}", all.join(","))
        };
        prop_assert_eq!(render(&text_of(false), expansion), format!(r#"{{"data":{}}}"#, text_of(true)));
    }

    #[test]
    fn nothing_but_the_id_gets_out_when_only_that_is_wanted(members in object(), id in ".*", place: prop::sample::Index) {
        let mut members = members;
        members.insert(place.index(members.len() + 1), ("id".to_owned(), Value::from(id.as_str())));
        let texts: Vec<String> =
            members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
        let body = render(&appointment(&texts.join(",")), PayloadLevel::IdOnly);
        let read: Value = serde_json::from_str(&body).expect("JSON");
        prop_assert_eq!(read, serde_json::json!({ "data": { "id": id } }));
    }
}
