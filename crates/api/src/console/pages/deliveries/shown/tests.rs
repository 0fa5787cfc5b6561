use axum::http::StatusCode;
use bellhop_model::DeliveryState;

use super::*;
use crate::console::samples::{HARMLESS, NOW, delivery, request, visitor, webhook};

#[test]
fn a_delivery_is_told_without_its_payload_and_asks_again_while_it_is_under_way() {
    let (webhook, visitor, attempts) = (webhook(), visitor(), [request(1, 1)]);
    for (state, is_under_way) in [(DeliveryState::Pending, true), (DeliveryState::Delivered, false)] {
        let delivery = delivery(state);
        let detail = Detail {
            now: NOW,
            delivery: &delivery,
            attempts: &attempts,
            series: &[],
            webhook: Some(&webhook),
        };
        let page = detail.whole(&visitor).into_string();
        assert_eq!(page.contains("data-refresh"), is_under_way, "{page}");
        assert!(page.contains(HARMLESS) && !page.contains("<script>alert"), "{page}");
        assert!(page.contains("the-token") && !page.contains("t0ken"), "the form is ours: {page}");
        assert!(!detail.progress().into_string().contains("the-token"), "each refresh would carry it");
    }
}

#[test]
fn a_deleted_webhook_is_said_to_be_and_nothing_is_offered() {
    let delivery = delivery(DeliveryState::Delivered);
    let detail = Detail { now: NOW, delivery: &delivery, attempts: &[], series: &[], webhook: None };
    let page = detail.whole(&visitor()).into_string();
    assert!(page.contains("(deleted)") && !page.contains("/redeliver"), "{page}");
}

#[test]
fn somebody_is_asked_before_it_is_delivered_again_and_told_why_it_is_not() {
    let webhook = webhook();
    let delivery = delivery(DeliveryState::Pending);
    let refused = Problem::conflict("under-way", "It is under way", "series 1 of `<b>` is under way");
    let asked =
        Redelivery { now: NOW, delivery: &delivery, webhook: Some(&webhook), refused: Some(&refused) };
    let page = asked.whole(&visitor()).into_string();
    assert!(page.contains("It is under way") && page.contains("<code>&lt;b&gt;</code>"), "{page}");
    assert!(page.contains("name=\"force\"") && page.contains("method=\"post\""), "{page}");
    assert_eq!(refused.status(), StatusCode::CONFLICT);
}
