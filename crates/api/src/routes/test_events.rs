//! Test events: a sample for one webhook, so that its owner sees that it is reached, and what will come.

use axum::extract::State;
use axum::http::StatusCode;
use bellhop_model::{DeliveryId, EventType, Webhook, WebhookId, WebhookStatus};
use bellhop_producer::TestEvent;
use bellhop_store::{Act, Action};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::Json;
use crate::identity::{Caller, Developer};
use crate::path::Id;
use crate::problem::{FieldProblem, Problem};
use crate::publishing::{to_the_end, unconfirmed};
use crate::state::Api;

/// Most types that a refusal names.
const SHOWN_MAX: usize = 10;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(send))
}

/// A test event to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestEventRequest {
    /// Of which type: one that `/v1/event-types` lists. The webhook need not want it.
    #[serde(rename = "type")]
    #[schema(example = "appointment.scheduled")]
    event_type: String,
}

/// A test event that is on its way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TestEvent)]
pub(crate) struct SentTestEvent {
    /// The event's id; the endpoint gets it as `webhook-id`.
    #[schema(example = "evt_test_019ab3c47d2e7f00a1b2c3d4e5f60718")]
    id: String,
    /// Of which type.
    #[serde(rename = "type")]
    event_type: String,
    /// The webhook that gets it, and no other.
    webhook: String,
    /// The delivery, as the log calls it.
    #[schema(example = "dlv_0123456789abcdef0123456789abcdef")]
    delivery: String,
}

/// Send a test event to a webhook
///
/// The payload is the sample of the type, in the form that the webhook asked for. It is signed, tried three times and
/// logged like any other event; no other webhook gets it. The endpoint is told by the header `webhook-test-event: true`,
/// and must not act on it: nothing happened.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test-events", tag = "webhooks", operation_id = "sendTestEvent",
    params(("id" = String, Path, description = "The webhook's id")), request_body = TestEventRequest,
    responses(
        (status = 202, description = "The broker has it; the delivery follows", body = SentTestEvent),
        (status = 409, description = "The webhook is disabled", body = Problem, content_type = "application/problem+json"),
    ))]
async fn send(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<WebhookId>,
    Json(request): Json<TestEventRequest>,
) -> Result<Answer, Problem> {
    let sent = send_test_event(&api, &caller, &id, request.event_type).await?;
    Ok(Answer::of(StatusCode::ACCEPTED, &sent))
}

/// Sends a sample of a type to a webhook of who calls.
pub(crate) async fn send_test_event(
    api: &Api,
    caller: &Caller,
    id: &WebhookId,
    event_type: String,
) -> Result<SentTestEvent, Problem> {
    let organisation = caller.organisation(&api.store);
    let webhook = organisation.webhook(id).await?;
    if webhook.status != WebhookStatus::Enabled {
        let detail = "nothing is sent to a disabled webhook: enable it first";
        return Err(Problem::conflict("disabled", "The webhook is disabled", detail));
    }
    let event = make(api, &webhook, &event_type)?;
    let sent = SentTestEvent {
        id: event.id().to_string(),
        event_type,
        webhook: id.to_string(),
        delivery: DeliveryId::derive(webhook.mode, &webhook.organisation, event.id(), id).to_string(),
    };
    // First, so that nothing is sent that is not on record.
    let mut act = Act::new(Action::TestEventSent, id.as_str());
    act.details.insert("event".to_owned(), sent.id.as_str().into());
    act.details.insert("type".to_owned(), sent.event_type.as_str().into());
    organisation.put_on_record(&act).await?;
    let sending = {
        let api = api.clone();
        async move { api.producer.publish_test(&event).await }
    };
    to_the_end(api, sending).await.map_err(|error| unconfirmed(&error))?;
    Ok(sent)
}

fn make(api: &Api, webhook: &Webhook, event_type: &str) -> Result<TestEvent, Problem> {
    let wrong = |message: String| Problem::invalid(vec![FieldProblem::new("type", message)]);
    let event_type: EventType = event_type.parse().map_err(|error| wrong(format!("is wrong: {error}")))?;
    let known = api.options.catalogue.find(&event_type).ok_or_else(|| {
        let names: Vec<&str> = api
            .options
            .catalogue
            .types()
            .iter()
            .take(SHOWN_MAX)
            .map(|known| known.event_type.as_str())
            .collect();
        wrong(format!("has no sample: send one of `{}`; `/v1/event-types` lists all", names.join("`, `")))
    })?;
    let data = known.sample.of(&webhook.organisation);
    TestEvent::new(webhook.id.clone(), &event_type, webhook.mode, &data).map_err(|error| {
        tracing::error!(%error, "a sample of the catalogue cannot be sent");
        Problem::internal()
    })
}
