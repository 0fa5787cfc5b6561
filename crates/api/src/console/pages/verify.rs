//! How a receiver verifies a signature: code to take away, and a form that says what is wrong with a request.
//!
//! What is pasted is judged and forgotten: it is neither stored nor logged, and the secret is not even written back into
//! the page.

mod judged;
mod pasted;
mod receivers;
mod shown;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use self::judged::Judged;
use self::pasted::{BODY, HEADERS, Pasted, SECRET};
use self::shown::{Checked, page};
use crate::console::fields::Fields;
use crate::console::visitor::Visitor;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/verify", get(lead)).route("/console/{mode}/verify", get(show).post(check))
}

/// For links that know no mode.
async fn lead(visitor: Visitor) -> Response {
    Redirect::to(&visitor.path("/verify")).into_response()
}

async fn show(visitor: Visitor) -> Response {
    page(&visitor, StatusCode::OK, &Checked::default())
}

async fn check(visitor: Visitor, fields: Fields) -> Response {
    // As it came: a body's blanks are signed, too.
    let raw = |name| fields.all(name).next().unwrap_or_default();
    let (headers, body) = (raw(HEADERS), raw(BODY));
    match Pasted::read(raw(SECRET), headers, body) {
        Err(errors) => {
            let checked = Checked { headers, body, errors: &errors, judged: None };
            page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &checked)
        }
        Ok(pasted) => {
            let judged = Judged::of(&pasted, visitor.now.unix_timestamp());
            page(&visitor, StatusCode::OK, &Checked { headers, body, errors: &[], judged: Some(&judged) })
        }
    }
}
