//! States as a word in a colour; the word alone is enough.

use bellhop_model::{DeliveryStateName, DisabledReason, WebhookStatus};
use maud::{Markup, html};

/// Where a delivery stands.
pub(crate) fn delivery_state(state: DeliveryStateName) -> Markup {
    let (tone, word) = match state {
        DeliveryStateName::Pending => ("quiet", "Pending"),
        DeliveryStateName::Retrying => ("warning", "Retrying"),
        DeliveryStateName::Deferred => ("warning", "Deferred"),
        DeliveryStateName::Exhausted => ("bad", "Exhausted"),
        DeliveryStateName::Cancelled => ("quiet", "Cancelled"),
        DeliveryStateName::Delivered => ("good", "Delivered"),
    };
    badge(tone, word)
}

/// Whether a webhook is delivered to.
pub(crate) fn webhook_status(status: WebhookStatus) -> Markup {
    match status {
        WebhookStatus::Enabled => badge("good", "Enabled"),
        WebhookStatus::Disabled(DisabledReason::Requested) => badge("quiet", "Disabled"),
        WebhookStatus::Disabled(_) => badge("bad", "Disabled"),
    }
}

/// A word in a colour.
///
/// * `tone`: `good`, `bad`, `warning` or `quiet`.
pub(crate) fn badge(tone: &str, word: &str) -> Markup {
    html! { span class=(format!("badge {tone}")) { (word) } }
}
