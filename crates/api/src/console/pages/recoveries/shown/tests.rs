use bellhop_model::{DeliveryStateName, Mode, RecoveryId};
use bellhop_store::RecoveryFilter;
use time::Duration;

use super::*;
use crate::console::samples::{NOW, organisation, visitor, webhook};

fn recovery(state: RecoveryState) -> Recovery {
    Recovery {
        id: RecoveryId::from_uuid(&[7; 16]),
        mode: Mode::Test,
        organisation: organisation(),
        filter: RecoveryFilter {
            webhook: webhook().id,
            states: vec![DeliveryStateName::Exhausted],
            event_type: None,
            since: NOW - Duration::HOUR,
            until: Some(NOW),
        },
        pace: 10,
        state,
        waits_for: None,
        failed_for: None,
        cancelled_by: None,
        found: 1_200,
        done: 300,
        payload_gone: 10,
        moved_on: 5,
        created_by: "<b>Zoë</b>".parse().expect("a name"),
        created_at: NOW - Duration::MINUTE,
        ended_at: None,
    }
}

#[test]
fn a_running_recovery_tells_how_far_it_is_and_can_be_stopped() {
    let running = recovery(RecoveryState::Running);
    let page = Progress { visitor: &visitor(), recovery: &running, webhook: None }.whole().into_string();
    for told in [
        "<progress value=\"315\" max=\"1200\"",
        "1,200",
        "about 89 seconds left",
        "Stop the recovery",
        "data-refresh=\"3\"",
        "&lt;b&gt;Zoë",
    ] {
        assert!(page.contains(told), "`{told}` is missing in {page}");
    }
}

#[test]
fn one_that_has_ended_says_how_and_asks_no_more() {
    for (state, told) in [
        (RecoveryState::Done, "had its turn"),
        (RecoveryState::Cancelled, "Stopped"),
        (RecoveryState::Failed, "was disabled"),
    ] {
        let ended = recovery(state);
        let page = Progress { visitor: &visitor(), recovery: &ended, webhook: Some(&webhook()) }
            .whole()
            .into_string();
        assert!(page.contains(told), "`{told}` is missing in {page}");
        assert!(!page.contains("Stop the recovery") && !page.contains("data-refresh"), "{page}");
    }
}

#[test]
fn a_list_leads_to_each_and_an_empty_one_teaches() {
    let (visitor, webhook, one) = (visitor(), webhook(), recovery(RecoveryState::Done));
    let recoveries = [one.clone()];
    let listed = Listed {
        visitor: &visitor,
        webhook: &webhook,
        recoveries: &recoveries,
        is_first: true,
        next: Some("x"),
    };
    let page = listed.whole().into_string();
    assert!(page.contains(&format!("/console/test/recoveries/{}", one.id)), "{page}");
    assert!(page.contains("300 of 1,200") && page.contains("?cursor=x"), "{page}");
    let none = Listed { recoveries: &[], next: None, ..listed };
    assert!(none.whole().into_string().contains("No recoveries yet"));
}
