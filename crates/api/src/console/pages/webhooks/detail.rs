//! One webhook: how it fares, what it is, and what can be done with it.

mod health;
use health::{HealthSpan, Panel};

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use bellhop_model::{Catalogue, DisabledReason, EventType, PayloadLevel, Webhook, WebhookId, WebhookStatus};
use maud::{Markup, html};
use serde::Deserialize;

use super::copy;
use crate::console::page::{Page, Section};
use crate::console::parts::{
    Choice, Field, WebhookTab, copyable, csrf_field, moment, name_of_webhook, select, webhook_head,
    webhook_path,
};
use crate::console::visitor::{PathId, Visitor};
use crate::page::Query;
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/{mode}/webhooks/{id}", get(read))
}

/// Which time the charts tell of.
#[derive(Debug, Deserialize)]
struct DetailQuery {
    span: Option<String>,
}

async fn read(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
    Query(query): Query<DetailQuery>,
) -> Result<Response, Problem> {
    let organisation = visitor.caller.organisation(&api.store);
    let webhook = organisation.webhook(&id).await?;
    let span = HealthSpan::read(query.span.as_deref());
    let told = organisation.overview(std::slice::from_ref(&id), span.ending(visitor.now)).await?.remove(&id);
    let health = Panel { visitor: &visitor, webhook: &webhook, span, told: &told.unwrap_or_default() };
    let body = html! {
        (webhook_head(&visitor, &webhook, WebhookTab::Overview))
        (why_disabled(&visitor, &webhook))
        (health.shown())
        div.columns {
            (configuration(&visitor, &webhook))
            div.stack {
                (test_event(&visitor, &webhook, &api.options.catalogue))
                (secret(&visitor, &webhook))
                (copying(&visitor, &webhook))
                (ending(&visitor, &webhook))
            }
        }
    };
    let title = name_of_webhook(&webhook);
    Ok(Page { visitor: &visitor, section: Section::Webhooks, title }.render(body))
}

/// A form that is nothing but its button.
fn act(visitor: &Visitor, webhook: &Webhook, rest: &str, button: &Markup) -> Markup {
    html! {
        form method="post" action=(webhook_path(visitor, &webhook.id, rest)) {
            (csrf_field(visitor))
            input type="hidden" name="version" value=(webhook.version);
            (button)
        }
    }
}

fn why_disabled(visitor: &Visitor, webhook: &Webhook) -> Markup {
    let WebhookStatus::Disabled(reason) = webhook.status else { return html! {} };
    let why = match reason {
        DisabledReason::Requested => "Somebody disabled it.",
        DisabledReason::Gone => "Its endpoint answered 410, which says that it is gone for good.",
        DisabledReason::Failing => "Every delivery to it was exhausted for days.",
        DisabledReason::Other => "It was disabled by a newer version of this program.",
    };
    html! {
        div.warning-box {
            div.heading {
                p { strong { "Nothing is sent to this webhook." } " " (why) }
                (act(visitor, webhook, "/enable", &html! { button type="submit" { "Enable" } }))
            }
        }
    }
}

fn configuration(visitor: &Visitor, webhook: &Webhook) -> Markup {
    let edit = webhook_path(visitor, &webhook.id, "/edit");
    html! {
        section.panel aria-labelledby="configuration" {
            div.heading {
                h2 id="configuration" { "Configuration" }
                a.button.plain href=(edit) { "Edit" }
            }
            dl.facts {
                dt { "URL" } dd { (copyable("URL", webhook.url.expose())) }
                dt { "Description" }
                dd { @if webhook.description.is_empty() { span.quiet { "None" } } @else { (webhook.description) } }
                dt { "Events" }
                dd { ul.types { @for event_type in webhook.event_types.iter().map(EventType::as_str) { li { code { (event_type) } } } } }
                dt { "Payload" } dd { (payload(webhook.payload)) }
                dt { "Id" } dd { (copyable("id", webhook.id.as_str())) }
                dt { "Added" } dd { (moment(webhook.created_at, visitor.now)) }
                dt { "Last changed" } dd { (moment(webhook.updated_at, visitor.now)) }
            }
        }
    }
}

fn payload(level: PayloadLevel) -> Markup {
    let expanded: Vec<&str> = level.expansion().names().collect();
    match level {
        PayloadLevel::IdOnly => html! { "The appointment’s id alone" },
        PayloadLevel::Full(_) if expanded.is_empty() => html! { "The appointment, nothing in it whole" },
        PayloadLevel::Full(_) => html! {
            "The appointment, with these whole:"
            ul.types { @for object in expanded { li { code { (object) } } } }
        },
    }
}

fn test_event(visitor: &Visitor, webhook: &Webhook, catalogue: &Catalogue) -> Markup {
    let wanted = catalogue.types().iter().position(|known| webhook.event_types.contains(&known.event_type));
    let options: Vec<Choice<'_>> = catalogue
        .types()
        .iter()
        .enumerate()
        .map(|(index, known)| Choice {
            value: known.event_type.as_str(),
            label: html! { (known.event_type) },
            hint: "",
            chosen: Some(index) == wanted,
        })
        .collect();
    let field = Field { name: "type", label: "Event type", hint: "", errors: &[] };
    html! {
        section.panel aria-labelledby="test-event" {
            h2 id="test-event" { "Send a test event" }
            p.quiet { "A sample, signed and tried like any other event, and marked by the header " code { "webhook-test-event" } "." }
            @if webhook.status == WebhookStatus::Enabled {
                form.inline method="post" action=(webhook_path(visitor, &webhook.id, "/test-event")) {
                    (csrf_field(visitor))
                    (select(&field, &options))
                    button type="submit" { "Send test event" }
                }
            } @else {
                p { "Nothing is sent to a disabled webhook: enable it first." }
            }
        }
    }
}

fn secret(visitor: &Visitor, webhook: &Webhook) -> Markup {
    let reveal = html! { button.plain type="submit" { "Reveal the secret" } };
    html! {
        section.panel aria-labelledby="secret" {
            h2 id="secret" { "Secret" }
            p.quiet { "Every request is signed with it. It is on record who looks at it." }
            @for until in &webhook.secrets_until {
                p { "A secret from before signs as well, and stops " (moment(*until, visitor.now)) "." }
            }
            div.buttons {
                (act(visitor, webhook, "/reveal", &reveal))
                a.button.plain href=(webhook_path(visitor, &webhook.id, "/rotate")) { "Rotate the secret" }
            }
        }
    }
}

fn copying(visitor: &Visitor, webhook: &Webhook) -> Markup {
    let title = copy::title(visitor.caller.mode);
    html! {
        section.panel aria-labelledby="copy" {
            h2 id="copy" { (title) }
            p.quiet { "The same events and payload, with another URL and a secret of its own." }
            div.buttons { a.button.plain href=(webhook_path(visitor, &webhook.id, "/copy")) { (title) } }
        }
    }
}

fn ending(visitor: &Visitor, webhook: &Webhook) -> Markup {
    html! {
        section.panel aria-labelledby="ending" {
            h2 id="ending" { "Stop deliveries" }
            div.buttons {
                @if webhook.status == WebhookStatus::Enabled {
                    a.button.plain href=(webhook_path(visitor, &webhook.id, "/disable")) { "Disable" }
                }
                a.button.danger href=(webhook_path(visitor, &webhook.id, "/delete")) { "Delete" }
            }
        }
    }
}
