//! Goal: whatever the catalogue takes in can be shown and sent, and what it cannot take is told by name.

use time::OffsetDateTime;

use super::*;
use crate::{Event, EventId, EventLabels, Expansion, Mode, PayloadLevel};

/// The types of the platform's guide.
const GUIDE: [&str; 5] = [
    "appointment.created",
    "appointment.scheduled",
    "appointment.updated",
    "appointment.completed",
    "appointment.cancelled",
];

fn organisation() -> OrganisationId {
    "org_other".parse().expect("valid")
}

fn entry(event_type: &str, sample: &str) -> String {
    format!(r#"[{{"type":"{event_type}","firesWhen":"Now.","sample":{sample}}}]"#)
}

fn refusal(text: &str) -> CatalogueError {
    Catalogue::built_in().extend(text).expect_err(text)
}

#[test]
fn the_guide_s_types_are_known_and_each_says_when_it_fires() {
    let catalogue = Catalogue::built_in();
    let names: Vec<&str> = catalogue.types().iter().map(|known| known.event_type.as_str()).collect();
    assert_eq!(names, GUIDE);
    for known in catalogue.types() {
        assert!(known.fires_when.ends_with('.') && known.mind.ends_with('.'), "{known:?}");
    }
    assert!(catalogue.find(&"visit_note.signed".parse().expect("well formed")).is_none());
}

#[test]
fn every_sample_makes_an_event_of_whoever_asks_for_it() {
    let id = EventId::from_uuid(&[1; 16]);
    for known in Catalogue::built_in().types() {
        let data = known.sample.of(&organisation());
        let body = Event::encode(&id, &known.event_type, Mode::Live, OffsetDateTime::UNIX_EPOCH, &data);
        let body = body.expect("what is built in can be sent");
        let event = Event::parse(&body, Some(Mode::Live), &EventLabels::default()).expect("just encoded");
        assert_eq!(event.organisation, organisation());
        let everything = Expansion { patient: true, task: true, window: true };
        assert_eq!(event.payload.render(everything.into()), format!(r#"{{"data":{data}}}"#));
        let id_only = event.payload.render(PayloadLevel::IdOnly);
        assert_eq!(known.sample.rendered(&organisation(), PayloadLevel::IdOnly), id_only);
        assert!(id_only.contains("apt_Sample"), "a sample says what it is even by its id: {id_only}");
    }
}

#[test]
fn a_sample_keeps_its_text_but_for_the_organisation() {
    let sample = r#"{"a": 1.50,"organisationId" : "org_x","data":{"organisationId":"org_x"}}"#;
    let mut catalogue = Catalogue::built_in();
    catalogue.extend(&entry("visit.signed", sample)).expect("well formed");
    let known = catalogue.find(&"visit.signed".parse().expect("well formed")).expect("just added");
    let expected = r#"{"a": 1.50,"organisationId" : "org_other","data":{"organisationId":"org_x"}}"#;
    assert_eq!(known.sample.of(&organisation()), expected);
    assert_eq!((known.fires_when.as_str(), known.mind.as_str()), ("Now.", ""));
}

#[test]
fn what_a_file_says_comes_after_or_in_place_of_what_is_built_in() {
    let mut catalogue = Catalogue::built_in();
    let sample = r#"{"id":"apt_1","organisationId":"org_x"}"#;
    for event_type in ["visit.signed", GUIDE[1]] {
        catalogue.extend(&entry(event_type, sample)).expect("well formed");
    }
    let names: Vec<&str> = catalogue.types().iter().map(|known| known.event_type.as_str()).collect();
    assert_eq!(names, [&GUIDE[..], &["visit.signed"]].concat());
    assert_eq!(catalogue.types()[1].fires_when, "Now.");
}

#[test]
fn a_file_that_is_no_catalogue_is_refused_by_name() {
    let sample = r#"{"organisationId":"org_x"}"#;
    let malformed = ["", "{}", &entry("visit", sample), &entry("a.b", sample).replace("firesWhen", "fires")];
    for text in malformed {
        assert!(matches!(refusal(text), CatalogueError::Malformed { .. }), "{text}");
    }
    let text = entry("a.b", sample);
    let twice = format!("[{0},{0}]", &text[1..text.len() - 1]);
    assert_eq!(refusal(&twice), CatalogueError::Repeated("a.b".parse().expect("well formed")));
    for sample in ["{}", "7", r#"{"organisationId":"x"}"#, r#"{"organisationId":"org_x","task":"t"}"#] {
        let error = refusal(&entry("a.b", sample));
        assert!(
            matches!(error, CatalogueError::Sample { .. }) && error.to_string().contains("`a.b`"),
            "{error}"
        );
    }
    let large = format!(r#"{{"organisationId":"org_x","note":"{}"}}"#, "n".repeat(SAMPLE_BYTES_MAX));
    assert!(matches!(refusal(&entry("a.b", &large)), CatalogueError::Oversized(_)));
    let many: Vec<String> = (0..=CATALOGUE_TYPES_MAX)
        .map(|number| entry(&format!("a.b{number}"), sample))
        .map(|text| text[1..text.len() - 1].to_owned())
        .collect();
    assert!(matches!(refusal(&format!("[{}]", many.join(","))), CatalogueError::TooMany(_)));
}
