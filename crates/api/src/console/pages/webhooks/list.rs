//! The list of webhooks: status, events, success rate, and what went wrong last.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use bellhop_model::{Mode, Outcome, Webhook};
use bellhop_store::{LoggedDelivery, RateSpan, WebhookFilter, WebhookOverview};
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::console::page::{Page, Section};
use crate::console::parts::badge::webhook_status;
use crate::console::parts::chart::{Steps, Sum, sparkline};
use crate::console::parts::{empty, heading, moment, name_of_webhook, pager, webhook_path};
use crate::console::visitor::Visitor;
use crate::page::{self, Query};
use crate::problem::Problem;
use crate::state::Api;

/// What the sparklines tell of, and in what steps.
const SPAN: time::Duration = time::Duration::DAY;
const STEP: Duration = Duration::from_secs(60 * 60);

/// Most event types of a webhook that the list names.
const TYPES_SHOWN_MAX: usize = 3;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/{mode}/webhooks", get(list))
}

/// Which page of the list.
#[derive(Debug, Deserialize)]
struct ListQuery {
    cursor: Option<String>,
}

async fn list(
    visitor: Visitor,
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let limit = page::PAGE_DEFAULT;
    let filter = WebhookFilter {
        after: page::cursor(query.cursor.as_deref())?,
        limit: Some(limit + 1),
        ..WebhookFilter::default()
    };
    let organisation = visitor.caller.organisation(&api.store);
    let webhooks = organisation.webhooks(filter).await?;
    let (webhooks, next) = page::cut(webhooks, limit, |webhook| webhook.id.to_string());
    let ids: Vec<_> = webhooks.iter().map(|webhook| webhook.id.clone()).collect();
    let span = RateSpan { since: visitor.now - SPAN, until: visitor.now, step: STEP };
    let told = organisation.overview(&ids, span).await?;
    let here = visitor.path("/webhooks");
    let first = query.cursor.is_some().then_some(&*here);
    let next = next.map(|cursor| format!("{here}?cursor={cursor}"));
    let nothing = WebhookOverview::default();
    let body = html! {
        (heading("Webhooks", &html! { @if !webhooks.is_empty() { (add_button(&visitor)) } }))
        @if webhooks.is_empty() { (no_webhooks(&visitor)) } @else {
            table.list {
                thead { tr {
                    th scope="col" { "Webhook" } th scope="col" { "Status" } th scope="col" { "Events" }
                    th scope="col" { "Success rate, 24 hours" } th scope="col" { "Last failure" }
                } }
                tbody {
                    @for webhook in &webhooks {
                        (row(&visitor, webhook, told.get(&webhook.id).unwrap_or(&nothing), span))
                    }
                }
            }
            (pager(first, next.as_deref()))
        }
    };
    Ok(Page { visitor: &visitor, section: Section::Webhooks, title: "Webhooks" }.render(body))
}

fn add_button(visitor: &Visitor) -> Markup {
    html! { a.button href=(visitor.path("/webhooks/new")) { "Add webhook" } }
}

fn no_webhooks(visitor: &Visitor) -> Markup {
    let lesson = match visitor.caller.mode {
        Mode::Test => {
            "A webhook tells your own systems of appointments as they change. Try one here against your staging system: add its URL, choose events, and send a test event. When it works, copy it to live."
        }
        Mode::Live => {
            "A webhook tells your own systems of appointments as they change. Try one in Test Mode first, then copy it here with the URL of your production system."
        }
    };
    empty("There is no webhook yet.", &html! { p { (lesson) } (add_button(visitor)) })
}

fn row(visitor: &Visitor, webhook: &Webhook, told: &WebhookOverview, span: RateSpan) -> Markup {
    html! {
        tr {
            th scope="row" {
                div.endpoint {
                    a href=(webhook_path(visitor, &webhook.id, "")) { (name_of_webhook(webhook)) }
                    @if name_of_webhook(webhook) != webhook.url.origin() { code { (webhook.url.origin()) } }
                }
            }
            td data-label="Status" { (webhook_status(webhook.status)) }
            td data-label="Events" { (types(webhook)) }
            td data-label="Success rate, 24 hours" {
                (sparkline(&Steps::of(span, &told.points), Sum::of(&told.points)))
            }
            td data-label="Last failure" { (last_failure(visitor, told.last_failure.as_ref())) }
        }
    }
}

fn types(webhook: &Webhook) -> Markup {
    let more = webhook.event_types.len().saturating_sub(TYPES_SHOWN_MAX);
    html! {
        ul.types {
            @for event_type in webhook.event_types.iter().take(TYPES_SHOWN_MAX) { li { code { (event_type) } } }
            @if 0 < more { li.quiet { "and " (more) " more" } }
        }
    }
}

/// What went wrong last, and the way to it.
pub(super) fn last_failure(visitor: &Visitor, failed: Option<&LoggedDelivery>) -> Markup {
    let Some(failed) = failed else {
        return html! { span.quiet { "None on record" } };
    };
    let path = visitor.path(&format!("/deliveries/{}", failed.id));
    html! {
        span {
            a href=(path) { (what_failed(failed)) } " "
            span.quiet { (moment(since(failed), visitor.now)) }
        }
    }
}

/// What came of the last request, as far as it is told.
fn what_failed(failed: &LoggedDelivery) -> String {
    let standing = &failed.standing;
    match (standing.status, Outcome::tenant_label_of(&standing.outcome)) {
        (Some(status), _) => format!("Answered {status}"),
        (None, "timed_out") => "No answer in time".to_owned(),
        (None, "unreachable_host") => "Host not reachable".to_owned(),
        (None, "connect") => "No connection".to_owned(),
        (None, "tls") => "TLS failed".to_owned(),
        (None, "interrupted") => "Connection broke off".to_owned(),
        (None, "protocol") => "No HTTP answer".to_owned(),
        (None, label) => format!("Answered {label}"),
    }
}

fn since(failed: &LoggedDelivery) -> OffsetDateTime {
    let nanos = i128::from(failed.standing.since_us) * 1_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(failed.begun_at)
}
