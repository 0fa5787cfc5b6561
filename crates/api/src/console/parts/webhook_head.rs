//! The head of a webhook's pages: what it is called, whether it is delivered to, and its parts.

use bellhop_model::{Webhook, WebhookId};
use maud::{Markup, html};

use super::badge::webhook_status;
use super::heading::{Crumb, heading_below, trail};
use crate::console::visitor::Visitor;

/// The parts of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WebhookTab {
    /// Configuration, health, actions.
    Overview,
    /// What was sent to it.
    Events,
    /// What was sent to it again, many at a time.
    Recoveries,
}

/// Where a webhook's pages are.
///
/// * `rest`: what follows its id, with a slash in front; may be empty.
pub(crate) fn webhook_path(visitor: &Visitor, id: &WebhookId, rest: &str) -> String {
    visitor.path(&format!("/webhooks/{id}{rest}"))
}

/// What a person calls a webhook: its description, or where its requests go as far as that is no credential.
pub(crate) fn name_of_webhook(webhook: &Webhook) -> &str {
    if webhook.description.trim().is_empty() { webhook.url.origin() } else { &webhook.description }
}

/// The head of one of a webhook's parts.
pub(crate) fn webhook_head(visitor: &Visitor, webhook: &Webhook, current: WebhookTab) -> Markup {
    let webhooks = visitor.path("/webhooks");
    let crumbs = [Crumb { path: &webhooks, name: "Webhooks" }];
    let tabs = [
        (WebhookTab::Overview, "Overview", ""),
        (WebhookTab::Events, "Events", "/events"),
        (WebhookTab::Recoveries, "Recoveries", "/recoveries"),
    ];
    html! {
        (trail(&crumbs))
        div.heading.titled {
            h1 { (name_of_webhook(webhook)) }
            (webhook_status(webhook.status))
        }
        nav.tabs aria-label="Webhook" {
            ul {
                @for (tab, name, rest) in tabs {
                    li {
                        a href=(webhook_path(visitor, &webhook.id, rest)) aria-current=[(tab == current).then_some("page")] {
                            (name)
                        }
                    }
                }
            }
        }
    }
}

/// The head of a page below a webhook's.
pub(crate) fn below_webhook(visitor: &Visitor, webhook: &Webhook, title: &str) -> Markup {
    let (webhooks, this) = (visitor.path("/webhooks"), webhook_path(visitor, &webhook.id, ""));
    let crumbs =
        [Crumb { path: &webhooks, name: "Webhooks" }, Crumb { path: &this, name: name_of_webhook(webhook) }];
    heading_below(&crumbs, title, &html! {})
}
