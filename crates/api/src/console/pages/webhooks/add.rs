//! Adding a webhook: the form, and its secret to be noted.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use bellhop_model::WebhookId;
use bellhop_store::{Creation, Idempotency};
use maud::html;
use serde_json::Value;
use uuid::Uuid;

use super::form::WebhookForm;
use crate::condition::hash;
use crate::console::fields::Fields;
use crate::console::page::{Page, Section};
use crate::console::parts::{
    Crumb, copyable, csrf_field, errors_summary, heading, heading_below, webhook_path,
};
use crate::console::visitor::Visitor;
use crate::problem::{FieldProblem, Problem};
use crate::routes::{Edge, render_created};
use crate::state::Api;

const TITLE: &str = "Add webhook";

/// Longest name of a form that is taken over.
const FORM_CHARS_MAX: usize = 64;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/{mode}/webhooks/new", get(ask).post(add))
}

async fn ask(visitor: Visitor, State(api): State<Api>) -> Response {
    show(&visitor, &api, StatusCode::OK, &Asked::anew())
}

/// The secret is in the answer itself, not behind a redirect, where its address would have to hold it. A browser that
/// sends the form once more gets the same answer, and adds nothing.
async fn add(visitor: Visitor, State(api): State<Api>, fields: Fields) -> Result<Response, Problem> {
    let form = WebhookForm::read(&fields);
    let request = form.request();
    let asked = serde_json::to_string(&request).expect("texts make JSON");
    let name: String =
        fields.text("form").chars().filter(char::is_ascii_alphanumeric).take(FORM_CHARS_MAX).collect();
    let again = |errors: &[FieldProblem]| Asked {
        form: form.clone(),
        name: String::clone(&name),
        errors: errors.to_vec(),
    };
    let new = match request.read(&visitor.caller, &Edge::of(&api)) {
        Ok(new) => new,
        Err(problem) => {
            return Ok(show(&visitor, &api, StatusCode::UNPROCESSABLE_ENTITY, &again(problem.errors())));
        }
    };
    let request = hash(&["console create", &asked]);
    let digest: String = request.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("console-{name}-{digest}");
    let idempotency = Idempotency { key: &key, request, render: &render_created };
    let organisation = visitor.caller.organisation(&api.store);
    let written = organisation.create_webhook_once(&new, Some(&idempotency)).await;
    match written.map(|written| written.value) {
        Ok(Creation::Made(registered)) => {
            Ok(added(&visitor, &registered.webhook.id, &registered.secret.expose()))
        }
        Ok(Creation::Repeated(body)) => {
            let told: Value = serde_json::from_slice(&body).unwrap_or_default();
            let id = told["id"].as_str().and_then(|id| id.parse().ok()).ok_or_else(Problem::internal)?;
            organisation.webhook(&id).await?;
            Ok(added(&visitor, &id, told["secret"].as_str().unwrap_or_default()))
        }
        Err(error) => {
            refused(error.into()).map(|(status, errors)| show(&visitor, &api, status, &again(&errors)))
        }
    }
}

/// What is wrong with a URL that could be read; another problem is a page of its own.
pub(super) fn refused(problem: Problem) -> Result<(StatusCode, Vec<FieldProblem>), Problem> {
    match problem.status() {
        StatusCode::CONFLICT => Ok((problem.status(), vec![FieldProblem::new("url", problem.detail())])),
        StatusCode::UNPROCESSABLE_ENTITY => Ok((problem.status(), problem.errors().to_vec())),
        _ => Err(problem),
    }
}

/// A form as it was filled in.
struct Asked {
    form: WebhookForm,
    /// What this form is called, so that sending it twice adds one webhook.
    name: String,
    errors: Vec<FieldProblem>,
}

impl Asked {
    fn anew() -> Self {
        Self { form: WebhookForm::empty(), name: Uuid::now_v7().simple().to_string(), errors: Vec::new() }
    }
}

fn show(visitor: &Visitor, api: &Api, status: StatusCode, asked: &Asked) -> Response {
    let Asked { form, name, errors } = asked;
    let errors = &form.placed(errors);
    let (webhooks, here) = (visitor.path("/webhooks"), visitor.path("/webhooks/new"));
    let body = html! {
        (heading_below(&[Crumb { path: &webhooks, name: "Webhooks" }], TITLE, &html! {}))
        form.form.panel method="post" action=(here) novalidate {
            (csrf_field(visitor))
            input type="hidden" name="form" value=(name);
            (errors_summary(errors))
            (form.shown(visitor.caller.mode, &api.options.catalogue, errors))
            div.buttons {
                button type="submit" { (TITLE) }
                a.button.plain href=(webhooks) { "Cancel" }
            }
        }
    };
    Page { visitor, section: Section::Webhooks, title: TITLE }.render_as(status, body)
}

fn added(visitor: &Visitor, id: &WebhookId, secret: &str) -> Response {
    let path = webhook_path(visitor, id, "");
    let body = html! {
        (heading("Webhook added", &html! {}))
        div.panel {
            h2 { "Note the secret" }
            p { "Every request is signed with it. Give it to your receiver, and to nobody else." }
            (copyable("secret", secret))
            p.quiet { "You can reveal it again on the webhook's page; it is on record who does." }
            div.buttons {
                a.button href=(path) { "Go to the webhook" }
                a.button.plain href=(visitor.path("/verify")) { "Verify a signature" }
            }
        }
    };
    Page { visitor, section: Section::Webhooks, title: "Webhook added" }.render(body)
}
