//! Who did what, for administrators.

use axum::extract::State;
use bellhop_store::{AuditCursor, AuditEntry};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, moment};
use crate::audit::Wanted;
use crate::identity::Administrator;
use crate::page::{self, Query};
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Something that somebody did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
struct ShownEntry {
    /// What it is called.
    id: String,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Who.
    actor: ShownActor,
    /// What, such as `webhook.updated` or `secret.revealed`. More will come.
    action: String,
    /// The id of the webhook or key, or the name of the user, that it was done to.
    target: String,
    /// Where the request came from; null when it was no request.
    address: Option<String>,
    /// The request's id, as its answer's `x-request-id` told it; null when it was no request.
    request_id: Option<String>,
    /// What changed, by name. No secret, no payload, and of a URL only its server.
    #[schema(schema_with = details_schema)]
    details: Map<String, Value>,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
struct ShownActor {
    /// `key`, `user` of the console, `operator`, `cli` or `system`.
    kind: String,
    /// The key's id, the user's name.
    name: String,
}

/// A page of entries.
#[derive(Debug, Serialize, ToSchema)]
struct AuditPage {
    /// The newest first.
    data: Vec<ShownEntry>,
    /// The `cursor` of the next page; null on the last.
    next: Option<String>,
}

/// Which entries, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    /// Only what was done to this webhook or key.
    #[param(max_length = 128)]
    target: Option<String>,
    /// Only this kind of thing.
    #[param(max_length = 128, example = "secret.revealed")]
    action: Option<String>,
    /// How many, 1 to 200; 50 without it.
    #[param(schema_with = page::limit_schema)]
    limit: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List who did what
#[utoipa::path(get, path = "/v1/audit", tag = "audit", operation_id = "listAudit", params(AuditQuery),
    responses((status = 200, description = "A page of entries", body = AuditPage)))]
async fn list(
    Administrator(caller): Administrator,
    State(api): State<Api>,
    Query(query): Query<AuditQuery>,
) -> Result<Answer, Problem> {
    let limit = page::limit(query.limit.as_deref())?;
    let wanted = Wanted { target: query.target, action: query.action, limit, cursor: query.cursor };
    let (entries, next) = wanted.read(&caller.organisation(&api.store)).await?;
    Ok(Answer::ok(&AuditPage { data: entries.into_iter().map(show).collect(), next }))
}

fn show(entry: AuditEntry) -> ShownEntry {
    ShownEntry {
        id: AuditCursor(entry.id).to_string(),
        at: moment(entry.at),
        actor: ShownActor { kind: entry.actor_kind, name: entry.actor },
        action: entry.action,
        target: entry.target,
        address: entry.address,
        request_id: entry.request,
        details: entry.details,
    }
}

fn details_schema() -> Object {
    ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::<utoipa::openapi::Schema>::FreeForm(true)))
        .description(Some("What changed, by name. No secret, no payload, and of a URL only its server."))
        .build()
}
