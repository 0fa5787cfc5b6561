//! Copying a webhook that was tried in Test Mode to live, or back.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bellhop_model::{EventType, Mode, Webhook, WebhookId};
use bellhop_store::Creation;
use maud::{Markup, html};

use super::add::refused;
use crate::console::fields::Fields;
use crate::console::notice::Notice;
use crate::console::page::{Page, Section, name_of};
use crate::console::parts::{
    Field, Input, below_webhook, csrf_field, errors_summary, text_input, webhook_path,
};
use crate::console::visitor::{PathId, Visitor, other, path_of};
use crate::identity::Caller;
use crate::problem::{FieldProblem, Problem};
use crate::routes::Edge;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/{mode}/webhooks/{id}/copy", get(ask).post(copy))
}

/// What the action is called.
pub(super) fn title(from: Mode) -> &'static str {
    match from {
        Mode::Test => "Copy to live",
        Mode::Live => "Copy to Test Mode",
    }
}

async fn ask(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
) -> Result<Response, Problem> {
    let webhook = visitor.caller.organisation(&api.store).webhook(&id).await?;
    Ok(Shown { webhook: &webhook, url: "", errors: &[] }.answer(&visitor, StatusCode::OK))
}

/// Leads to the copy: its secret belongs to the other mode, and is shown there alone.
async fn copy(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
    fields: Fields,
) -> Result<Response, Problem> {
    let source = visitor.caller.organisation(&api.store);
    let webhook = source.webhook(&id).await?;
    let target = visitor.other_mode.as_ref().ok_or_else(|| closed(visitor.caller.mode))?;
    let url = fields.text("url");
    let problem = match Edge::of(&api).url(url, target.mode) {
        Err(error) => Problem::invalid(vec![error]),
        Ok(parsed) => match target.organisation(&api.store).copy_webhook(&source, &id, &parsed, None).await {
            Ok(written) => return Ok(lead_to(target, &written.value)),
            Err(error) => error.into(),
        },
    };
    let (status, errors) = refused(problem)?;
    Ok(Shown { webhook: &webhook, url, errors: &errors }.answer(&visitor, status))
}

fn lead_to(target: &Caller, creation: &Creation) -> Response {
    let page = match creation {
        Creation::Made(registered) => path_of(target.mode, &format!("/webhooks/{}", registered.webhook.id)),
        Creation::Repeated(_) => path_of(target.mode, "/webhooks"),
    };
    Redirect::to(&Notice::Copied.at(&page)).into_response()
}

fn closed(mode: Mode) -> Problem {
    let there = name_of(other(mode));
    let detail =
        format!("{there} is not open to you: a key opens one mode; switch there, and add a key for it first");
    Problem::new(StatusCode::FORBIDDEN, "forbidden", "The other mode is not open to you", detail)
}

/// The form as it was filled in.
struct Shown<'a> {
    webhook: &'a Webhook,
    url: &'a str,
    errors: &'a [FieldProblem],
}

impl Shown<'_> {
    fn answer(&self, visitor: &Visitor, status: StatusCode) -> Response {
        let mode = visitor.caller.mode;
        let title = title(mode);
        let body = html! {
            (below_webhook(visitor, self.webhook, title))
            @if visitor.other_mode.is_some() { (self.form(visitor)) } @else { (self.closed(visitor)) }
        };
        Page { visitor, section: Section::Webhooks, title }.render_as(status, body)
    }

    fn form(&self, visitor: &Visitor) -> Markup {
        let Self { webhook, url, errors } = *self;
        let mode = visitor.caller.mode;
        let hint = match other(mode) {
            Mode::Live => "Of your production system: `https`, and another than that of Test Mode.",
            Mode::Test => "Of your staging system, and another than that of live.",
        };
        let field = Field { name: "url", label: "URL of the copy", hint, errors };
        let placeholder = "https://example.org/webhooks";
        html! {
            form.form.panel method="post" action=(webhook_path(visitor, &webhook.id, "/copy")) novalidate {
                (csrf_field(visitor))
                (errors_summary(errors))
                p {
                    "A webhook is added to " (name_of(other(mode)))
                    " with the description, events and payload of this one, and a secret of its own. This one stays as it is."
                }
                dl.facts {
                    dt { "Events" }
                    dd { ul.types { @for event_type in webhook.event_types.iter().map(EventType::as_str) { li { code { (event_type) } } } } }
                }
                (text_input(&field, Input { kind: "url", value: url, placeholder, required: true }))
                div.buttons {
                    button type="submit" { (title(mode)) }
                    a.button.plain href=(webhook_path(visitor, &webhook.id, "")) { "Cancel" }
                }
            }
        }
    }

    /// Who is signed in by a key sees one mode until they add another.
    fn closed(&self, visitor: &Visitor) -> Markup {
        let there = other(visitor.caller.mode);
        let back = webhook_path(visitor, &self.webhook.id, "/copy");
        html! {
            div.panel {
                p {
                    "You are signed in by a key, and a key opens one mode. To copy this webhook to " (name_of(there))
                    ", add a key of your organisation for it."
                }
                div.buttons {
                    a.button href=(format!("/console/sign-in?mode={there}&next={back}")) { "Add a key for " (name_of(there)) }
                    a.button.plain href=(webhook_path(visitor, &self.webhook.id, "")) { "Cancel" }
                }
            }
        }
    }
}
