//! Who did what, for administrators: the newest first, by what was done and to what.

mod shown;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use self::shown::{Choices, list_page};
use crate::audit::Wanted;
use crate::console::visitor::AdministratorVisitor;
use crate::page::{PAGE_DEFAULT, Query};
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/{mode}/audit", get(list))
}

/// Which entries. A form sends the fields that nobody filled, too.
#[derive(Debug, Deserialize)]
struct AuditQuery {
    #[serde(default)]
    target: String,
    #[serde(default)]
    action: String,
    cursor: Option<String>,
}

async fn list(
    AdministratorVisitor(visitor): AdministratorVisitor,
    State(api): State<Api>,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    let AuditQuery { target, action, cursor } = query;
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let choices = Choices { target: target.trim(), action: action.trim(), is_later: cursor.is_some() };
    let wanted = Wanted { target: given(&target), action: given(&action), limit: PAGE_DEFAULT, cursor };
    let (entries, next) = wanted.read(&visitor.caller.organisation(&api.store)).await?;
    Ok(list_page(&visitor, &choices, &entries, next.as_deref()))
}
