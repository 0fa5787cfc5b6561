//! Signing out: the session ends here, not only in the browser.

use axum::Router;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use bellhop_store::{Actor, Author, SessionHolder};

use crate::console::cookie::CookieName;
use crate::console::fields::Fields;
use crate::console::notice::Notice;
use crate::console::visitor::{Holder, Whence};
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/sign-out", post(end))
}

async fn end(
    Holder(found): Holder,
    Whence(whence): Whence,
    State(api): State<Api>,
    cookie: CookieName,
    _fields: Fields,
) -> Result<Response, Problem> {
    if let Some((token, session)) = found {
        let actor = match session.holder {
            SessionHolder::User { name, .. } => Actor::User(name),
            SessionHolder::Keys(mut keys) => Actor::Key(keys.swap_remove(0).id),
        };
        api.store.end_session(&token, &Author { actor, ..whence }).await?;
    }
    let to = Notice::SignedOut.at("/console/sign-in");
    Ok(([(SET_COOKIE, cookie.clear())], Redirect::to(&to)).into_response())
}
