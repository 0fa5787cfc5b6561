//! How a webhook is shown.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use bellhop_model::{EventType, Webhook, WebhookStatus};
use bellhop_store::{Creation, Registered};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::answer::{Answer, moment};

/// Says that nothing was made anew.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Webhook)]
pub(in crate::routes) struct ShownWebhook {
    /// What it is called.
    #[schema(example = "wh_019ab3c47d2e7f00a1b2c3d4e5f60718")]
    id: String,
    /// `live` or `test`.
    mode: String,
    /// Whose it is.
    organisation_id: String,
    /// Where requests go.
    url: String,
    /// Which event types it wants.
    events: Vec<String>,
    /// What a person calls it.
    description: String,
    /// Which objects are sent whole.
    expand: Vec<String>,
    /// How much is sent: `full` or `id_only`.
    payload: String,
    /// Whether deliveries are made.
    status: ShownStatus,
    /// Why not: `requested`; `gone` when its endpoint answered 410; `failing` when every delivery was exhausted for days. Null
    /// while enabled. More reasons may come.
    disabled_reason: Option<String>,
    /// When each secret that a rotation keeps alive stops to sign; empty unless a rotation is under way.
    #[schema(schema_with = moments_schema)]
    previous_secrets_until: Vec<String>,
    /// Counts the changes to it; also its `ETag`.
    version: i64,
    /// When it was registered.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WebhookStatus)]
enum ShownStatus {
    Enabled,
    Disabled,
}

/// A webhook just registered, or just given a new secret.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::routes) struct CreatedWebhook {
    /// What its requests are signed with (Standard Webhooks). Keep it where the receiver finds it and nobody else does.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
    #[serde(flatten)]
    webhook: ShownWebhook,
}

impl ShownWebhook {
    pub(in crate::routes) fn of(webhook: &Webhook) -> Self {
        let (status, reason) = match webhook.status {
            WebhookStatus::Enabled => (ShownStatus::Enabled, None),
            WebhookStatus::Disabled(reason) => (ShownStatus::Disabled, Some(reason.as_str().to_owned())),
        };
        Self {
            id: webhook.id.to_string(),
            mode: webhook.mode.to_string(),
            organisation_id: webhook.organisation.to_string(),
            url: webhook.url.expose().to_owned(),
            events: webhook.event_types.iter().map(EventType::to_string).collect(),
            description: webhook.description.clone(),
            expand: webhook.payload.expansion().names().map(ToOwned::to_owned).collect(),
            payload: webhook.payload.name().to_owned(),
            status,
            disabled_reason: reason,
            previous_secrets_until: webhook.secrets_until.iter().copied().map(moment).collect(),
            version: webhook.version,
            created_at: moment(webhook.created_at),
            updated_at: moment(webhook.updated_at),
        }
    }

    /// A webhook and its version.
    pub(in crate::routes) fn answer(webhook: &Webhook) -> Answer {
        Answer::ok(&Self::of(webhook)).with_version(webhook.version)
    }
}

impl CreatedWebhook {
    pub(in crate::routes) fn of(registered: &Registered) -> Self {
        Self { secret: registered.secret.expose(), webhook: ShownWebhook::of(&registered.webhook) }
    }
}

/// What is answered to a registration.
pub(crate) fn render_created(registered: &Registered) -> Vec<u8> {
    serde_json::to_vec(&CreatedWebhook::of(registered)).expect("our own answers make JSON")
}

/// Answers a registration, or answers one again as before.
pub(in crate::routes) fn answer_creation(creation: Creation) -> Answer {
    match creation {
        Creation::Made(registered) => located(
            Answer::again(StatusCode::CREATED, render_created(&registered)),
            registered.webhook.id.as_str(),
            registered.webhook.version,
        ),
        Creation::Repeated(body) => {
            let shown: Value = serde_json::from_slice(&body).unwrap_or_default();
            let id = shown["id"].as_str().unwrap_or_default().to_owned();
            let version = shown["version"].as_i64().unwrap_or_default();
            let answer = located(Answer::again(StatusCode::CREATED, body), &id, version);
            answer.with_header(REPLAYED, HeaderValue::from_static("true"))
        }
    }
}

fn located(answer: Answer, id: &str, version: i64) -> Answer {
    answer.with_location(&format!("/v1/webhooks/{id}")).with_version(version)
}

fn moments_schema() -> utoipa::openapi::schema::Array {
    use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
    let moment = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let meaning =
        "When each secret that a rotation keeps alive stops to sign; empty unless a rotation is under way.";
    ArrayBuilder::new().items(moment).description(Some(meaning)).build()
}
