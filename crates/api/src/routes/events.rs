//! Publishing over HTTP, for platforms that are not on the broker.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use bellhop_model::{EventError, EventId, EventType, Mode, Payload, Role, TraceParent, parse_moment};
use bellhop_producer::NewEvent;
use bellhop_store::{AskedEvent, Publishing, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, Schema, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::Answer;
use crate::body::Json;
use crate::identity::{Caller, Developer};
use crate::problem::{FieldProblem, Problem};
use crate::publishing::{to_the_end, unconfirmed};
use crate::sameness::content;
use crate::state::Api;

/// Longest wait for another request that is publishing the same event; most are confirmed within milliseconds.
const UNDER_WAY_WAIT: Duration = Duration::from_secs(2);

/// How often it is looked whether that one is done.
const UNDER_WAY_INTERVAL: Duration = Duration::from_millis(25);

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(publish))
}

/// An event to be published: the same as a message to the broker, but that what the key says may be left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewEvent)]
struct EventRequest {
    /// The event's own id: 1 to 64 letters, digits, `_` or `-`, unique within organisation and mode. With it the same
    /// request can be sent again without a second publish. One is made if it is left out.
    #[schema(example = "evt_42", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    id: Option<String>,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(
        example = "appointment.scheduled",
        max_length = 128,
        pattern = r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+$"
    )]
    event_type: String,
    /// The key's mode, if it is said at all.
    #[schema(example = "test", pattern = "^(live|test)$")]
    mode: Option<String>,
    /// The key's organisation, if it is said at all.
    organisation_id: Option<String>,
    /// When it happened; now if it is left out.
    #[schema(format = DateTime, example = "2024-02-06T17:20:59Z")]
    occurred_at: Option<String>,
    /// The appointment in its fullest form, with patient, task and window whole. It is sent on byte for byte, says itself
    /// whose it is (`organisationId`), and the event may have 64 KiB with it.
    #[schema(schema_with = appointment_schema)]
    data: Box<RawValue>,
}

/// An event that the broker has.
#[derive(Debug, Serialize, ToSchema)]
struct AcceptedEvent {
    /// The event's id; endpoints get it as `webhook-id`.
    id: String,
    /// Whether it was published before, on an earlier request within a day, and not again now.
    repeated: bool,
}

/// A request whose every part is right.
struct Asked {
    caller: Caller,
    event: NewEvent,
    /// What the request says, for telling it from another one with the same id; absent when the id was made here.
    content: Option<Vec<u8>>,
}

/// Publish an event
///
/// Answers 202 once the broker has the event on disk, replicated, as for a publisher on the broker; every webhook of the
/// organisation that wants the type then gets it. A 503 says whether the broker may have it: send it again with the same
/// id, and receivers drop a repeat by that id.
///
/// The same event again within a day answers 202 without a second publish: the same id, and everything that is said with it
/// the same as a JSON value, whatever its order of members, white space or text of numbers. The same id that says something
/// else is refused with 409. That is best effort: it is forgotten when Redis is, and then published again.
///
/// In live mode this takes an administrator's key or the operator's credential: a live event is a fact to whoever
/// receives it.
#[utoipa::path(post, path = "/v1/events", tag = "events", operation_id = "publishEvent",
    params(("traceparent" = Option<String>, Header, example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        description = "The trace that the event belongs to, as W3C Trace Context writes it; workers name it in their log, and no endpoint sees it. Another text is as good as none.")),
    request_body = EventRequest,
    responses(
        (status = 202, description = "The broker has it", body = AcceptedEvent),
        (status = 409, description = "An event of this id says something else, or has been under way for seconds", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn publish(
    Developer(caller): Developer,
    State(api): State<Api>,
    headers: HeaderMap,
    Json(request): Json<EventRequest>,
) -> Result<Answer, Problem> {
    if caller.mode == Mode::Live && caller.role == Role::Developer {
        return Err(Problem::forbidden(
            "the role `developer` may not publish live events: use an administrator's key, or a key that begins with `test_`",
        ));
    }
    let mut asked = read(caller, request)?;
    if let Some(parent) = trace(&headers) {
        asked.event = asked.event.traced(parent);
    }
    let id = asked.event.id().to_string();
    let repeated = to_the_end(&api, publish_once(api.clone(), asked)).await?;
    Ok(Answer::of(StatusCode::ACCEPTED, &AcceptedEvent { id, repeated }))
}

/// The caller's trace; one that cannot be read, or is said twice, is none.
fn trace(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all("traceparent").iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { value.trim().parse().ok() }
}

/// * returns whether it had been published before.
async fn publish_once(api: Api, asked: Asked) -> Result<bool, Problem> {
    let Asked { caller, event, content } = &asked;
    let Some(content) = content else {
        api.producer.publish(event).await.map_err(|error| unconfirmed(&error))?;
        return Ok(false);
    };
    let known =
        AskedEvent { mode: caller.mode, organisation: &caller.organisation, event: event.id(), content };
    match begin(&api, known).await {
        Ok(Publishing::Begun) => {}
        Ok(Publishing::Published) => return Ok(true),
        Ok(Publishing::UnderWay) => return Err(under_way()),
        Ok(Publishing::Another) => return Err(another()),
        Err(error) => {
            tracing::warn!(%error, "cannot tell whether an event was published before; publishing it");
        }
    }
    let published = api.producer.publish(event).await;
    let noted = match published {
        Ok(()) => api.store.note_published(known).await,
        Err(_) => api.store.give_up_publishing(known).await,
    };
    if let Err(error) = noted {
        tracing::warn!(%error, "cannot note whether an event was published; the same request may publish it again");
    }
    published.map(|()| false).map_err(|error| unconfirmed(&error))
}

/// Begins to publish, once nobody else is publishing the same event, for as long as it is worth waiting.
async fn begin(api: &Api, event: AskedEvent<'_>) -> Result<Publishing, StoreError> {
    let deadline = Instant::now() + UNDER_WAY_WAIT;
    loop {
        let begun = api.store.begin_publishing(event).await?;
        if begun != Publishing::UnderWay || deadline <= Instant::now() {
            return Ok(begun);
        }
        sleep(UNDER_WAY_INTERVAL).await;
    }
}

fn under_way() -> Problem {
    let detail = "another request is publishing an event of this id, or was cut off doing so: ask again";
    Problem::conflict("under-way", "The event is being published", detail)
        .retrying_after(Duration::from_secs(1))
}

fn another() -> Problem {
    let detail = "an event of this id that says something else was published within a day: each event has an id of its own, and a repeated one says the same";
    Problem::conflict("another-event", "The id is taken", detail)
}

/// Checks everything, and tells all that is wrong.
fn read(caller: Caller, request: EventRequest) -> Result<Asked, Problem> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, message: String| errors.push(FieldProblem::new(field, message));
    let EventRequest { id, event_type, mode, organisation_id, occurred_at, data } = request;
    let parsed_type =
        event_type.parse::<EventType>().map_err(|error| wrong("type", format!("is wrong: {error}")));
    let parsed_id = id.as_deref().map(str::parse::<EventId>).transpose();
    let parsed_id = parsed_id.map_err(|error| wrong("id", format!("is wrong: {error}")));
    let moment =
        occurred_at.as_deref().map(|text| parse_moment(text).ok_or(EventError::OccurredAt)).transpose();
    let moment = moment.map_err(|error| wrong("occurredAt", format!("is wrong: {error}")));
    if mode.is_some_and(|mode| mode != caller.mode.as_str()) {
        wrong("mode", format!("must be `{}`, the key's mode, or be left out", caller.mode));
    }
    let whose = format!("must be `{}`, the key's organisation", caller.organisation);
    if organisation_id.is_some_and(|organisation| organisation != caller.organisation.as_str()) {
        wrong("organisationId", format!("{whose}, or be left out"));
    }
    match Payload::organisation_of(data.get()) {
        Ok(owner) if owner == caller.organisation => {}
        Ok(_) => wrong("data.organisationId", whose),
        Err(error) => wrong("data", format!("is no appointment: {error}")),
    }
    let (Ok(event_type), Ok(parsed_id), Ok(moment), true) =
        (parsed_type, parsed_id, moment, errors.is_empty())
    else {
        return Err(Problem::invalid(errors));
    };
    let content = id.map(|_| content(&event_type, moment, data.get()));
    let parsed_id = parsed_id.unwrap_or_else(|| EventId::from_uuid(Uuid::now_v7().as_bytes()));
    let moment = moment.unwrap_or_else(OffsetDateTime::now_utc);
    let event = NewEvent::with_id(&parsed_id, &event_type, caller.mode, moment, data.get());
    let event = event.map_err(|error| unfit(&error))?;
    Ok(Asked { caller, event, content })
}

/// What is left to be wrong once each part is right.
fn unfit(error: &EventError) -> Problem {
    match error {
        EventError::Oversized { .. } => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The event is too large",
            error.to_string(),
        ),
        error => Problem::invalid(vec![FieldProblem::new("data", format!("is wrong: {error}"))]),
    }
}

fn appointment_schema() -> Object {
    let meaning = "The appointment in its fullest form, with patient, task and window whole. It is sent on byte for byte, \
        says itself whose it is (`organisationId`), and the event may have 64 KiB with it.";
    let text = || ObjectBuilder::new().schema_type(Type::String);
    ObjectBuilder::new()
        .property("id", text())
        .property("organisationId", text())
        .required("organisationId")
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
        .examples([json!({ "id": "apt_1", "organisationId": "org_1" })])
        .description(Some(meaning))
        .build()
}
