//! The event types that there are: when each fires, and what it carries.

use axum::extract::State;
use bellhop_model::{EventType, Expansion, KnownEventType, OrganisationId, PayloadLevel};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::identity::Developer;
use crate::path::Id;
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// An event type.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EventType)]
struct ShownEventType {
    /// What it is called.
    #[serde(rename = "type")]
    #[schema(example = "appointment.scheduled")]
    event_type: String,
    /// When it fires.
    #[schema(example = "A time window is added to the appointment.")]
    fires_when: String,
    /// What a receiver has to mind; empty when there is nothing.
    mind: String,
    /// What a webhook that expands nothing receives, as a sample.
    #[schema(value_type = Object)]
    sample: Box<RawValue>,
    /// What a webhook that expands patient, task and window receives, as a sample.
    #[schema(value_type = Object)]
    expanded_sample: Box<RawValue>,
}

/// All event types.
#[derive(Debug, Serialize, ToSchema)]
struct EventTypeList {
    /// In the order of an appointment's life, then those that were added.
    data: Vec<ShownEventType>,
}

/// List the event types
///
/// These are known to be fired. A webhook may ask for others, which then wait for the platform to fire them.
#[utoipa::path(get, path = "/v1/event-types", tag = "event types", operation_id = "listEventTypes",
    responses((status = 200, description = "All event types", body = EventTypeList)))]
async fn list(Developer(caller): Developer, State(api): State<Api>) -> Answer {
    let types = api.options.catalogue.types().iter();
    Answer::ok(&EventTypeList { data: types.map(|known| show(known, &caller.organisation)).collect() })
}

/// Read an event type
#[utoipa::path(get, path = "/v1/event-types/{type}", tag = "event types", operation_id = "readEventType",
    params(("type" = String, Path, description = "The event type, such as `appointment.scheduled`")),
    responses((status = 200, description = "The event type", body = ShownEventType)))]
async fn read(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(event_type): Id<EventType>,
) -> Result<Answer, Problem> {
    let known = api.options.catalogue.find(&event_type);
    let known = known.ok_or_else(|| {
        Problem::not_found("this event type is not known to be fired; a webhook may ask for it all the same")
    })?;
    Ok(Answer::ok(&show(known, &caller.organisation)))
}

fn show(known: &KnownEventType, organisation: &OrganisationId) -> ShownEventType {
    let everything = Expansion { patient: true, task: true, window: true };
    ShownEventType {
        event_type: known.event_type.to_string(),
        fires_when: known.fires_when.clone(),
        mind: known.mind.clone(),
        sample: rendered(known, organisation, PayloadLevel::default()),
        expanded_sample: rendered(known, organisation, everything.into()),
    }
}

fn rendered(known: &KnownEventType, organisation: &OrganisationId, level: PayloadLevel) -> Box<RawValue> {
    let body = known.sample.rendered(organisation, level);
    RawValue::from_string(body).expect("a sample was read when it was taken into the catalogue")
}
