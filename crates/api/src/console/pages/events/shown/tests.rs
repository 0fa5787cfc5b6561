use bellhop_model::{Attempt, Catalogue, DeliveryState, EndReason, Series};

use super::*;
use crate::console::samples::{HARMLESS, HOSTILE, NOW, delivery, visitor, webhook};

fn shown(asked: &Asked, deliveries: &[LoggedDelivery], next: Option<&str>) -> String {
    let (visitor, webhook, catalogue) = (visitor(), webhook(), Catalogue::built_in());
    let types = catalogue.types();
    let events = Events { visitor: &visitor, webhook: &webhook, types, asked, errors: &[], deliveries, next };
    events.whole().into_string()
}

#[test]
fn a_row_tells_state_type_appointment_attempts_answer_and_time() {
    let mut failed = delivery(DeliveryState::Retrying { next_at_us: 1_795_680_600_000_000 });
    failed.standing.series = Series(2);
    failed.standing.attempt = Attempt::try_from(2).ok();
    failed.standing.status = Some(503);
    failed.standing.outcome = "5xx".to_owned();
    let page = shown(&Asked::default(), std::slice::from_ref(&failed), None);
    for told in [
        "Retrying",
        "next attempt",
        "appointment.scheduled",
        "2 of 3",
        "series 2",
        ">503<",
        "1 minute ago",
        &format!("/console/test/deliveries/{}", failed.id),
    ] {
        assert!(page.contains(told), "`{told}` is missing in {page}");
    }
}

#[test]
fn whatever_an_event_says_is_text() {
    let asked = Asked { appointment: HOSTILE.to_owned(), ..Asked::default() };
    let page = shown(&asked, &[delivery(DeliveryState::Delivered)], Some(HOSTILE));
    assert!(page.contains(HARMLESS) && !page.contains("<script>alert"), "{page}");
}

#[test]
fn an_empty_list_teaches_how_to_fill_it() {
    let page = shown(&Asked::default(), &[], None);
    assert!(page.contains("No events yet") && page.contains("send a test event"), "{page}");
    assert!(page.contains("data-refresh=\"5\""), "the first one appears by itself");
}

#[test]
fn a_filter_that_nothing_matches_can_be_widened_part_by_part() {
    let asked = Asked { state: "exhausted".into(), appointment: "apt_1".into(), ..Asked::default() };
    let page = shown(&asked, &[], None);
    assert!(page.contains("No event matches"), "{page}");
    let events = format!("/console/test/webhooks/{}/events", webhook().id);
    for path in ["?appointment=apt_1", "?state=exhausted", ""] {
        assert!(page.contains(&format!("href=\"{events}{path}\"")), "`{path}` is missing in {page}");
    }
}

#[test]
fn pages_keep_the_filter() {
    let asked = Asked { state: "exhausted".into(), cursor: "here".into(), ..Asked::default() };
    let page = shown(&asked, &[delivery(DeliveryState::Ended(EndReason::AttemptsFailed))], Some("there"));
    assert!(page.contains("events?state=exhausted&amp;cursor=there\""), "{page}");
    assert!(page.contains("events?state=exhausted\""), "the way back: {page}");
    assert!(page.contains("<option value=\"exhausted\" selected>"), "{page}");
}

#[test]
fn what_is_wrong_is_told_beside_its_field() {
    let (visitor, webhook, asked) = (visitor(), webhook(), Asked { status: "no".into(), ..Asked::default() });
    let errors = asked.read(&webhook.id, NOW).expect_err("wrong");
    let events = Events {
        visitor: &visitor,
        webhook: &webhook,
        types: &[],
        asked: &asked,
        errors: &errors,
        deliveries: &[],
        next: None,
    };
    let page = events.whole().into_string();
    assert!(page.contains("id=\"status-error\"") && page.contains("aria-invalid=\"true\""), "{page}");
    assert!(!page.contains("No event matches"), "nothing was looked for: {page}");
}
