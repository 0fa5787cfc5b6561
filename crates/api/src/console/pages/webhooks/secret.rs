//! A webhook's secret: looked at on purpose, and rotated with an overlap.
//!
//! It is shown in the answer to the form that asked for it, and nowhere else: no address leads to it.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use bellhop_model::{SigningSecret, Webhook, WebhookId};
use maud::{Markup, html};
use time::OffsetDateTime;

use super::standing::Question;
use crate::console::fields::Fields;
use crate::console::page::{Page, Section};
use crate::console::parts::{Choice, Field, below_webhook, choices, copyable, moment, webhook_path};
use crate::console::visitor::{PathId, Visitor};
use crate::problem::{FieldProblem, Problem};
use crate::routes::{OVERLAP_DEFAULT, OVERLAP_MAX};
use crate::state::Api;

/// How long the secret before may still sign, in seconds.
const OVERLAPS: [(u64, &str, &str); 4] = [
    (
        0,
        "Not at all",
        "It and all that earlier rotations kept alive end at once. Requests fail until the receiver has the new one.",
    ),
    (60 * 60, "One hour", ""),
    (OVERLAP_DEFAULT, "One day", ""),
    (OVERLAP_MAX, "Seven days", ""),
];

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/{mode}/webhooks/{id}/reveal", post(reveal))
        .route("/console/{mode}/webhooks/{id}/rotate", get(ask).post(rotate))
}

async fn reveal(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
    _fields: Fields,
) -> Result<Response, Problem> {
    let organisation = visitor.caller.organisation(&api.store);
    let webhook = organisation.webhook(&id).await?;
    let secrets = organisation.reveal_secrets(&id).await?;
    Ok(show(&visitor, &webhook, "Secret", &shown(&visitor, &secrets)))
}

async fn ask(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
) -> Result<Response, Problem> {
    let webhook = visitor.caller.organisation(&api.store).webhook(&id).await?;
    let field = Field {
        name: "overlap",
        label: "How long does the present secret still sign?",
        hint: "Meanwhile requests carry a signature of each, so that the receiver can change over in its own time.",
        errors: &[],
    };
    let values = OVERLAPS.map(|(seconds, ..)| seconds.to_string());
    let options: Vec<Choice<'_>> = OVERLAPS
        .iter()
        .zip(&values)
        .map(|((seconds, label, hint), value)| Choice {
            value,
            label: html! { (label) },
            hint,
            chosen: *seconds == OVERLAP_DEFAULT,
        })
        .collect();
    let body = html! {
        p { "The webhook gets a new secret. It is shown next." }
        (choices(&field, "radio", &options))
    };
    Ok(Question { title: "Rotate the secret", body, rest: "/rotate", button: "" }.ask(&visitor, &webhook))
}

/// A browser that sends the form once more is refused: the version is another by then.
async fn rotate(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
    fields: Fields,
) -> Result<Response, Problem> {
    let overlap = fields.text("overlap").parse().ok().filter(|seconds| *seconds <= OVERLAP_MAX);
    let overlap = overlap.ok_or_else(|| {
        let message = format!("must be 0 to {OVERLAP_MAX} seconds, which is seven days");
        Problem::invalid(vec![FieldProblem::new("overlap", message)])
    })?;
    let organisation = visitor.caller.organisation(&api.store);
    let written = organisation.rotate_secret(&id, Duration::from_secs(overlap), fields.version()).await?;
    let webhook = &written.value.webhook;
    let body = html! {
        h2 { "The new secret" }
        p { "Requests are signed with it from now on. Give it to your receiver, and to nobody else." }
        (copyable("secret", &written.value.secret.expose()))
        @if let Some(until) = webhook.secrets_until.iter().max() {
            p.quiet { "The one before signs as well, and stops " (moment(*until, visitor.now)) "." }
        }
    };
    Ok(show(&visitor, webhook, "Secret rotated", &body))
}

fn shown(visitor: &Visitor, secrets: &[SigningSecret]) -> Markup {
    html! {
        @for signing in secrets {
            @match signing.until {
                None => {
                    h2 { "The secret" }
                    p { "Every request is signed with it. That you looked at it is on record." }
                    (copyable("secret", &signing.secret.expose()))
                }
                Some(until) => {
                    @let until = OffsetDateTime::from_unix_timestamp(until).unwrap_or(visitor.now);
                    h2 { "A secret from before" }
                    p { "It signs as well, and stops " (moment(until, visitor.now)) "." }
                    (copyable("secret from before", &signing.secret.expose()))
                }
            }
        }
    }
}

fn show(visitor: &Visitor, webhook: &Webhook, title: &str, body: &Markup) -> Response {
    let page = html! {
        (below_webhook(visitor, webhook, title))
        div.panel {
            (body)
            div.buttons { a.button href=(webhook_path(visitor, &webhook.id, "")) { "Done" } }
        }
    };
    Page { visitor, section: Section::Webhooks, title }.render(page)
}
