//! Every page, and where it is.

mod audit;
mod deliveries;
mod events;
mod keys;
mod recoveries;
mod sign_in;
mod sign_out;
mod verify;
mod webhooks;

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::assets;
use super::visitor::Visitor;
use crate::state::Api;

/// What the console answers to.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console", get(begin))
        .route("/console/", get(begin))
        .route("/console/{mode}", get(begin))
        .merge(assets::routes())
        .merge(sign_in::routes())
        .merge(sign_out::routes())
        .merge(webhooks::routes())
        .merge(events::routes())
        .merge(deliveries::routes())
        .merge(recoveries::routes())
        .merge(keys::routes())
        .merge(audit::routes())
        .merge(verify::routes())
}

/// Everything begins with the webhooks.
async fn begin(visitor: Visitor) -> Response {
    Redirect::to(&visitor.path("/webhooks")).into_response()
}
