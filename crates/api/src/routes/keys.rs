//! The organisation's keys: administrators make, list and revoke them.

use axum::extract::State;
use bellhop_model::ApiKeyId;
use bellhop_store::StoredKey;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, moment};
use crate::body::Json;
use crate::identity::Administrator;
use crate::keys::{self, KeyStatus};
use crate::page::{self, Query};
use crate::path::Id;
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read_one, revoke))
}

/// A key as it is listed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Key)]
struct ShownKey {
    /// What it is called.
    #[schema(example = "key_019ab3c47d2e7f00a1b2c3d4e5f60718")]
    id: String,
    /// What it may do: `administrator`, `developer`, or a role that opens nothing.
    role: String,
    /// What a person calls it.
    name: String,
    /// Whether it opens: `active`, `expired` or `revoked`.
    status: KeyStatus,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it stops to open; never if null.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was revoked.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// When it was last used, to the minute.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

/// A key just made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CreatedKey {
    /// The key. Note it now: nobody can show it again.
    #[schema(example = "test_019ab3c47d2e7f00a1b2c3d4e5f60718…")]
    key: String,
    #[serde(flatten)]
    shown: ShownKey,
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
struct KeyPage {
    /// In the order in which they were made.
    data: Vec<ShownKey>,
    /// The `cursor` of the next page; null on the last.
    next: Option<String>,
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyRequest {
    /// What it may do: `administrator` or `developer`.
    #[schema(schema_with = role_schema)]
    role: String,
    /// What a person calls it: 1 to 100 characters, none of them a control character.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$", example = "CI")]
    name: String,
    /// How many days it opens; for ever without it.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
}

/// Which page of keys.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct KeyQuery {
    /// How many, 1 to 200; 50 without it.
    #[param(schema_with = page::limit_schema)]
    limit: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List the organisation's keys
#[utoipa::path(get, path = "/v1/keys", tag = "keys", operation_id = "listKeys", params(KeyQuery),
    responses((status = 200, description = "A page of keys", body = KeyPage)))]
async fn list(
    Administrator(caller): Administrator,
    State(api): State<Api>,
    Query(query): Query<KeyQuery>,
) -> Result<Answer, Problem> {
    let limit = page::limit(query.limit.as_deref())?;
    let after: Option<ApiKeyId> = page::cursor(query.cursor.as_deref())?;
    let keys = caller.organisation(&api.store).keys(after.as_ref(), limit + 1).await?;
    let (keys, next) = page::cut(keys, limit, |key| key.id.to_string());
    Ok(Answer::ok(&KeyPage { data: keys.into_iter().map(show).collect(), next }))
}

/// Make a key
///
/// Its mode and organisation are those of the key that makes it.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", operation_id = "createKey", request_body = KeyRequest,
    responses(
        (status = 201, description = "The key, shown this once", body = CreatedKey,
            headers(("location" = String, description = "Its path"))),
        (status = 409, description = "The organisation has as many keys in this mode as it may", body = Problem,
            content_type = "application/problem+json")))]
async fn create(
    Administrator(caller): Administrator,
    State(api): State<Api>,
    Json(request): Json<KeyRequest>,
) -> Result<Answer, Problem> {
    let KeyRequest { role, name, expires_in_days } = &request;
    let new = keys::read(role, name, *expires_in_days).map_err(Problem::invalid)?;
    let registered = caller.organisation(&api.store).create_key(&new).await?;
    let key = registered.key.expose().to_owned();
    let shown = show(registered.stored);
    let location = format!("/v1/keys/{}", shown.id);
    Ok(Answer::created(&location, &CreatedKey { key, shown }))
}

/// Read a key
///
/// What is on record of it; the key itself is nowhere.
#[utoipa::path(get, path = "/v1/keys/{id}", tag = "keys", operation_id = "readKey",
    params(("id" = String, Path, description = "The key's id")),
    responses((status = 200, description = "The key", body = ShownKey)))]
async fn read_one(
    Administrator(caller): Administrator,
    State(api): State<Api>,
    Id(id): Id<ApiKeyId>,
) -> Result<Answer, Problem> {
    Ok(Answer::ok(&show(caller.organisation(&api.store).key(&id).await?)))
}

/// Revoke a key
///
/// It opens nothing any more, from now on. Revoking it again changes nothing.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", operation_id = "revokeKey",
    params(("id" = String, Path, description = "The key's id")),
    responses((status = 200, description = "The key as it is now", body = ShownKey)))]
async fn revoke(
    Administrator(caller): Administrator,
    State(api): State<Api>,
    Id(id): Id<ApiKeyId>,
) -> Result<Answer, Problem> {
    let stored = caller.organisation(&api.store).revoke_key(&id).await?;
    Ok(Answer::ok(&show(stored)))
}

fn show(stored: StoredKey) -> ShownKey {
    ShownKey {
        id: stored.id.to_string(),
        role: stored.role.to_string(),
        status: KeyStatus::of(&stored),
        name: stored.name,
        created_at: moment(stored.created_at),
        expires_at: stored.expires_at.map(moment),
        revoked_at: stored.revoked_at.map(moment),
        last_used_at: stored.last_used_at.map(moment),
    }
}

fn role_schema() -> utoipa::openapi::schema::Object {
    utoipa::openapi::schema::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .description(Some("What it may do."))
        .enum_values(Some(["administrator", "developer"]))
        .build()
}
