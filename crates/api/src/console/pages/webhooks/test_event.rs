//! Sending a test event.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use bellhop_model::WebhookId;

use crate::console::fields::Fields;
use crate::console::notice::Notice;
use crate::console::parts::webhook_path;
use crate::console::visitor::{PathId, Visitor};
use crate::problem::Problem;
use crate::routes::send_test_event;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/{mode}/webhooks/{id}/test-event", post(send))
}

async fn send(
    visitor: Visitor,
    PathId(id): PathId<WebhookId>,
    State(api): State<Api>,
    fields: Fields,
) -> Result<Response, Problem> {
    send_test_event(&api, &visitor.caller, &id, fields.text("type").to_owned()).await?;
    Ok(Redirect::to(&Notice::TestEventSent.at(&webhook_path(&visitor, &id, ""))).into_response())
}
