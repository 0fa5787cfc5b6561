//! Enabling, disabling and deleting a webhook. What cannot be taken back is asked for twice.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bellhop_model::{DisabledReason, Webhook, WebhookId};
use maud::{Markup, html};

use crate::console::fields::Fields;
use crate::console::notice::Notice;
use crate::console::page::{Page, Section};
use crate::console::parts::{below_webhook, csrf_field, webhook_path};
use crate::console::visitor::{PathId, Visitor};
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/{mode}/webhooks/{id}/enable", post(enable))
        .route("/console/{mode}/webhooks/{id}/disable", get(ask_to_disable).post(disable))
        .route("/console/{mode}/webhooks/{id}/delete", get(ask_to_delete).post(delete))
}

/// Something to be asked once more before it is done.
pub(super) struct Question<'a> {
    /// The title, which is also what the button says.
    pub(super) title: &'a str,
    /// What follows from it, and what is to be said about it.
    pub(super) body: Markup,
    /// What follows the webhook's path.
    pub(super) rest: &'a str,
    /// How the button looks.
    pub(super) button: &'a str,
}

impl Question<'_> {
    /// The question, as a page below the webhook's.
    pub(super) fn ask(&self, visitor: &Visitor, webhook: &Webhook) -> Response {
        let Self { title, body, rest, button } = self;
        let shown = html! {
            (below_webhook(visitor, webhook, title))
            form.form.panel method="post" action=(webhook_path(visitor, &webhook.id, rest)) novalidate {
                (csrf_field(visitor))
                input type="hidden" name="version" value=(webhook.version);
                (body)
                div.buttons {
                    button class=(button) type="submit" { (title) }
                    a.button.plain href=(webhook_path(visitor, &webhook.id, "")) { "Cancel" }
                }
            }
        };
        Page { visitor, section: Section::Webhooks, title }.render(shown)
    }
}

async fn enable(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
    fields: Fields,
) -> Result<Response, Problem> {
    visitor.caller.organisation(&api.store).enable_webhook(&id, fields.version()).await?;
    Ok(Redirect::to(&Notice::Enabled.at(&webhook_path(&visitor, &id, ""))).into_response())
}

async fn ask_to_disable(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
) -> Result<Response, Problem> {
    let webhook = visitor.caller.organisation(&api.store).webhook(&id).await?;
    let body = html! {
        p { "Nothing is sent to it any more, and what waits for its next attempt ends as cancelled. Events of the time in which it is disabled are not kept for it." }
        p.quiet { "It can be enabled again at any time, and what was cancelled can be recovered while its payload is kept." }
    };
    Ok(Question { title: "Disable", body, rest: "/disable", button: "danger firm" }.ask(&visitor, &webhook))
}

async fn disable(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
    fields: Fields,
) -> Result<Response, Problem> {
    let organisation = visitor.caller.organisation(&api.store);
    organisation.disable_webhook(&id, DisabledReason::Requested, fields.version()).await?;
    Ok(Redirect::to(&Notice::Disabled.at(&webhook_path(&visitor, &id, ""))).into_response())
}

async fn ask_to_delete(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
) -> Result<Response, Problem> {
    let webhook = visitor.caller.organisation(&api.store).webhook(&id).await?;
    let body = html! {
        div.warning-box {
            p { strong { "This cannot be taken back." } " The webhook and its secret are gone for good, and what waits for its next attempt ends as cancelled." }
        }
        p.quiet { "To stop deliveries for a while, " a href=(webhook_path(&visitor, &id, "/disable")) { "disable it" } " instead." }
    };
    Ok(Question { title: "Delete for good", body, rest: "/delete", button: "danger firm" }
        .ask(&visitor, &webhook))
}

async fn delete(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
    fields: Fields,
) -> Result<Response, Problem> {
    visitor.caller.organisation(&api.store).remove_webhook(&id, fields.version()).await?;
    Ok(Redirect::to(&Notice::Deleted.at(&visitor.path("/webhooks"))).into_response())
}
