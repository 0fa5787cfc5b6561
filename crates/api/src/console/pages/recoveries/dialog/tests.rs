use bellhop_model::DeliveryStateName;

use super::*;
use crate::console::samples::{HARMLESS, HOSTILE, NOW, visitor, webhook};

fn shown(asked: &Asked, step: &Step) -> String {
    let (visitor, webhook) = (visitor(), webhook());
    Dialog { visitor: &visitor, webhook: &webhook, last: None, asked, step }.whole().into_string()
}

#[test]
fn nothing_can_be_started_before_it_is_counted() {
    let asked = Asked::usual(NOW);
    let page = shown(&asked, &Step::Asking);
    assert!(!page.contains("Start recovery") && !page.contains("method=\"post\""), "{page}");
    assert!(page.contains("value=\"2026-11-25T08:00\""), "{page}");
    let count = RecoveryCount { exhausted: 1_200, cancelled: 4, delivered: 0, payload_gone: 4 };
    let page = shown(&asked, &Step::Counted { count, pace: 50 });
    for told in ["1,204 events", "Start recovery of 1,200", "about 24 seconds", "4 of them are passed over"] {
        assert!(page.contains(told), "`{told}` is missing in {page}");
    }
    for (name, value) in asked.pairs() {
        let field = format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
        assert!(page.contains(&field), "`{field}` is missing in {page}");
    }
}

#[test]
fn where_nothing_is_found_nothing_is_started() {
    let page = shown(&Asked::usual(NOW), &Step::Counted { count: RecoveryCount::default(), pace: 50 });
    assert!(page.contains("No event is as asked for") && !page.contains("Start recovery"), "{page}");
    let gone = RecoveryCount { exhausted: 1, payload_gone: 1, ..RecoveryCount::default() };
    assert!(!shown(&Asked::usual(NOW), &Step::Counted { count: gone, pace: 50 }).contains("Start recovery"));
}

#[test]
fn what_is_wrong_is_told_beside_its_field_and_what_was_said_stays() {
    let asked = Asked { pace: "0".into(), event_type: HOSTILE.into(), ..Asked::usual(NOW) };
    let errors = asked.read(&webhook().id).expect_err("wrong");
    let page = shown(&asked, &Step::Wrong(errors));
    assert!(page.contains("id=\"pace-error\"") && page.contains("id=\"type-error\""), "{page}");
    assert!(page.contains(HARMLESS) && !page.contains("<script>alert"), "{page}");
    assert!(asked.has(DeliveryStateName::Exhausted) && !asked.has(DeliveryStateName::Delivered));
}

#[test]
fn a_refusal_is_told_in_the_dialog() {
    let refused = Problem::conflict("disabled", "The webhook is disabled", "enable it first");
    let page = shown(&Asked::usual(NOW), &Step::Refused(refused));
    assert!(page.contains("role=\"alert\"") && page.contains("Enable it first."), "{page}");
}
