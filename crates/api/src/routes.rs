//! What can be asked, and where.

#![allow(unused_qualifications, reason = "the macro that describes routes qualifies what it is given")]

mod audit;
mod copies;
mod deliveries;
mod event_log;
mod event_types;
mod events;
mod keys;
mod rates;
mod recoveries;
mod reveal;
mod secrets;
mod sign_ins;
mod test_events;
mod webhooks;

pub(crate) use secrets::{OVERLAP_DEFAULT, OVERLAP_MAX};
pub(crate) use test_events::send_test_event;
pub(crate) use webhooks::{Edge, WebhookPatch, WebhookRequest, render_created};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;

use crate::around::around;
use crate::console;
use crate::problem::Problem;
use crate::state::Api;

/// Where the API's description is served.
const DOCUMENT_PATH: &str = "/openapi.json";

/// Every route that the description tells of.
pub(crate) fn described() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(webhooks::routes())
        .merge(secrets::routes())
        .merge(copies::routes())
        .merge(test_events::routes())
        .merge(event_types::routes())
        .merge(events::routes())
        .merge(event_log::routes())
        .merge(deliveries::routes())
        .merge(reveal::routes())
        .merge(rates::routes())
        .merge(recoveries::routes())
        .merge(keys::routes())
        .merge(audit::routes())
        .merge(sign_ins::routes())
}

/// The whole API, ready to be served.
pub(crate) fn router(api: Api) -> Router {
    let (router, _) = described().split_for_parts();
    router
        .route(DOCUMENT_PATH, get(document))
        .merge(console::routes())
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(api.clone(), around))
        .with_state(api)
}

async fn document(State(api): State<Api>) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], api.document.clone()).into_response()
}

async fn no_such_path(uri: Uri) -> Problem {
    if console::is_page(uri.path()) {
        return Problem::not_found("the console has no such page: it may be that the address was cut off");
    }
    Problem::not_found(format!("there is nothing at this path: `{DOCUMENT_PATH}` lists what there is"))
}

async fn no_such_method(request: Request) -> Problem {
    let detail = format!("this path knows no `{}`: the header `Allow` lists what it knows", request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "The method does not exist here", detail)
}
