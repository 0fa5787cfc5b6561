//! The organisation's keys, for administrators: listed, made and shown once, revoked.

mod shown;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bellhop_model::ApiKeyId;
use bellhop_store::Actor;
use serde::Deserialize;

use self::shown::{Wish, created_page, form_page, list_page, revoke_page};
use crate::console::fields::Fields;
use crate::console::notice::Notice;
use crate::console::visitor::{AdministratorVisitor, PathId, Visitor};
use crate::keys::{self, EXPIRES_IN_DAYS, NAME, ROLE};
use crate::page::{self, PAGE_DEFAULT, Query};
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/{mode}/keys", get(list).post(create))
        .route("/console/{mode}/keys/new", get(ask))
        .route("/console/{mode}/keys/{id}/revoke", get(confirm).merge(post(revoke)))
}

/// Which page of keys.
#[derive(Debug, Deserialize)]
struct KeyQuery {
    cursor: Option<String>,
}

async fn list(
    AdministratorVisitor(visitor): AdministratorVisitor,
    State(api): State<Api>,
    Query(query): Query<KeyQuery>,
) -> Result<Response, Problem> {
    let after: Option<ApiKeyId> = page::cursor(query.cursor.as_deref())?;
    let keys = visitor.caller.organisation(&api.store).keys(after.as_ref(), PAGE_DEFAULT + 1).await?;
    let (keys, next) = page::cut(keys, PAGE_DEFAULT, |key| key.id.to_string());
    Ok(list_page(&visitor, &keys, (after.is_some(), next.as_deref())))
}

async fn ask(AdministratorVisitor(visitor): AdministratorVisitor) -> Response {
    form_page(&visitor, StatusCode::OK, &Wish::default(), &[])
}

/// Answers with the key itself instead of leading to another page: it is shown once, and stored nowhere.
async fn create(
    AdministratorVisitor(visitor): AdministratorVisitor,
    State(api): State<Api>,
    fields: Fields,
) -> Result<Response, Problem> {
    let wish = Wish { role: fields.text(ROLE), name: fields.text(NAME), days: fields.text(EXPIRES_IN_DAYS) };
    match keys::read(wish.role, wish.name, wish.lifetime_days()) {
        Err(errors) => Ok(form_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &wish, &errors)),
        Ok(new) => {
            let made = visitor.caller.organisation(&api.store).create_key(&new).await?;
            Ok(created_page(&visitor, &made))
        }
    }
}

async fn confirm(
    AdministratorVisitor(visitor): AdministratorVisitor,
    State(api): State<Api>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Response, Problem> {
    let key = visitor.caller.organisation(&api.store).key(&id).await?;
    Ok(revoke_page(&visitor, &key, is_own(&visitor, &id)))
}

async fn revoke(
    AdministratorVisitor(visitor): AdministratorVisitor,
    State(api): State<Api>,
    PathId(id): PathId<ApiKeyId>,
    _: Fields,
) -> Result<Response, Problem> {
    visitor.caller.organisation(&api.store).revoke_key(&id).await?;
    Ok(Redirect::to(&Notice::KeyRevoked.at(&visitor.path("/keys"))).into_response())
}

/// Whether a visitor is signed in by this key.
fn is_own(visitor: &Visitor, id: &ApiKeyId) -> bool {
    visitor.caller.author.actor == Actor::Key(id.clone())
}
