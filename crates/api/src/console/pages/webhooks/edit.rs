//! Changing a webhook, as it was when its form was opened and no other.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bellhop_model::{Webhook, WebhookId};
use maud::html;

use super::add::refused;
use super::form::WebhookForm;
use crate::console::fields::Fields;
use crate::console::notice::Notice;
use crate::console::page::{Page, Section};
use crate::console::parts::{below_webhook, csrf_field, errors_summary, webhook_path};
use crate::console::visitor::{PathId, Visitor};
use crate::problem::{FieldProblem, Problem};
use crate::routes::Edge;
use crate::state::Api;

const TITLE: &str = "Edit";

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/{mode}/webhooks/{id}/edit", get(ask).post(save))
}

async fn ask(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
) -> Result<Response, Problem> {
    let webhook = visitor.caller.organisation(&api.store).webhook(&id).await?;
    let form = WebhookForm::of(&webhook, &api.options.catalogue);
    Ok(Shown { webhook: &webhook, form: &form, errors: &[], is_overtaken: false }.answer(
        &visitor,
        &api,
        StatusCode::OK,
    ))
}

async fn save(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
    fields: Fields,
) -> Result<Response, Problem> {
    let organisation = visitor.caller.organisation(&api.store);
    let form = WebhookForm::read(&fields);
    let problem = match form.patch().read(visitor.caller.mode, &Edge::of(&api)) {
        Err(problem) => problem,
        Ok(change) => match organisation.update_webhook(&id, &change, fields.version()).await {
            Ok(_) => {
                let to = Notice::Saved.at(&webhook_path(&visitor, &id, ""));
                return Ok(Redirect::to(&to).into_response());
            }
            Err(error) => error.into(),
        },
    };
    // Whoever is overtaken sees their own words, and may say them again.
    let is_overtaken = problem.status() == StatusCode::PRECONDITION_FAILED;
    let (status, errors) = if is_overtaken { (problem.status(), Vec::new()) } else { refused(problem)? };
    let webhook = organisation.webhook(&id).await?;
    let shown = Shown { webhook: &webhook, form: &form, errors: &errors, is_overtaken };
    Ok(shown.answer(&visitor, &api, status))
}

/// A form as it was filled in.
struct Shown<'a> {
    webhook: &'a Webhook,
    form: &'a WebhookForm,
    errors: &'a [FieldProblem],
    /// Whether somebody else changed the webhook meanwhile.
    is_overtaken: bool,
}

impl Shown<'_> {
    fn answer(&self, visitor: &Visitor, api: &Api, status: StatusCode) -> Response {
        let Self { webhook, form, errors, is_overtaken } = *self;
        let errors = &form.placed(errors);
        let here = webhook_path(visitor, &webhook.id, "/edit");
        let body = html! {
            (below_webhook(visitor, webhook, TITLE))
            form.form.panel method="post" action=(here) novalidate {
                (csrf_field(visitor))
                input type="hidden" name="version" value=(webhook.version);
                @if is_overtaken {
                    div.problem role="alert" {
                        p {
                            strong { "Nothing was saved." }
                            " Somebody changed this webhook meanwhile. Below is what you entered: save once more to put it in place of theirs, or "
                            a href=(here) { "see what it is now" } "."
                        }
                    }
                }
                (errors_summary(errors))
                (form.shown(visitor.caller.mode, &api.options.catalogue, errors))
                div.buttons {
                    button type="submit" { "Save" }
                    a.button.plain href=(webhook_path(visitor, &webhook.id, "")) { "Cancel" }
                }
            }
        };
        Page { visitor, section: Section::Webhooks, title: TITLE }.render_as(status, body)
    }
}
