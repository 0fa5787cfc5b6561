//! Events as the log tells of them: which there were, what became of one, and removing what one carried.

use axum::extract::State;
use bellhop_model::EventId;
use bellhop_store::{DELIVERIES_PAGE_MAX, DeliveryFilter, EventFilter, Expunged, LoggedEvent};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::deliveries::ShownDelivery;
use crate::answer::{Answer, moment};
use crate::identity::{Administrator, Developer};
use crate::page::{self, Query};
use crate::path::Id;
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read)).routes(routes!(expunge))
}

/// An event that somebody wanted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
struct ShownEvent {
    /// What it is called; endpoints get it as `webhook-id`.
    #[schema(example = "evt_42")]
    id: String,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "appointment.scheduled")]
    event_type: String,
    /// To which appointment; null when it has no id that could be kept.
    appointment: Option<String>,
    /// When, as its publisher says.
    #[schema(format = DateTime)]
    occurred_at: String,
    /// When it was taken to be delivered.
    #[schema(format = DateTime)]
    taken_at: String,
    /// Whether nothing happened: it is a test event.
    test_event: bool,
    /// When its payload was removed on request; null unless it was.
    #[schema(format = DateTime)]
    expunged_at: Option<String>,
    /// Who asked for that: the id of a key, or a name.
    expunged_by: Option<String>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
struct EventPage {
    /// The newest first.
    data: Vec<ShownEvent>,
    /// The `cursor` of the next page; null on the last.
    next: Option<String>,
}

/// An event, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
struct DetailedEvent {
    #[serde(flatten)]
    event: ShownEvent,
    /// To each webhook that wanted it, also to those that are gone since; the newest first.
    deliveries: Vec<ShownDelivery>,
}

/// What was removed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExpungedEvent {
    /// The event.
    id: String,
    /// Since when it counts as removed.
    #[schema(format = DateTime)]
    expunged_at: String,
    /// Who asked first.
    expunged_by: String,
    /// Whether there was a payload.
    payload: bool,
    /// How many answers of endpoints there were.
    answers: u64,
    /// How many of its deliveries are under way: what carries them holds the payload until they end.
    under_way: usize,
}

/// Which events, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct EventQuery {
    /// Only those of this type.
    #[serde(rename = "type")]
    #[param(example = "appointment.scheduled")]
    event_type: Option<String>,
    /// Only those of this appointment.
    #[param(max_length = 128)]
    appointment: Option<String>,
    /// Only those that were taken then or later.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Only those that were taken earlier.
    #[param(format = DateTime)]
    until: Option<String>,
    /// How many, 1 to 200; 50 without it.
    #[param(schema_with = page::limit_schema)]
    limit: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List events
///
/// Those that some webhook wanted, the newest first. The log is a moment behind what happens.
#[utoipa::path(get, path = "/v1/events", tag = "events", operation_id = "listEvents", params(EventQuery),
    responses((status = 200, description = "A page of events", body = EventPage)))]
async fn list(
    Developer(caller): Developer,
    State(api): State<Api>,
    Query(query): Query<EventQuery>,
) -> Result<Answer, Problem> {
    let limit = page::limit(query.limit.as_deref())?;
    let filter = EventFilter {
        event_type: page::parsed("type", query.event_type.as_deref())?,
        appointment: page::word("appointment", query.appointment)?,
        since: page::time("since", query.since.as_deref())?,
        until: page::time("until", query.until.as_deref())?,
        after: page::cursor(query.cursor.as_deref())?,
    };
    let events = caller.organisation(&api.store).events(&filter, limit + 1).await?;
    let (events, next) = page::cut(events, limit, |event: &LoggedEvent| event.cursor().to_string());
    Ok(Answer::ok(&EventPage { data: events.iter().map(ShownEvent::of).collect(), next }))
}

/// Read an event
#[utoipa::path(get, path = "/v1/events/{id}", tag = "events", operation_id = "readEvent",
    params(("id" = String, Path, description = "The event's id")),
    responses((status = 200, description = "The event, and what became of it", body = DetailedEvent)))]
async fn read(
    Developer(caller): Developer,
    State(api): State<Api>,
    Id(id): Id<EventId>,
) -> Result<Answer, Problem> {
    let organisation = caller.organisation(&api.store);
    let event = organisation.event(&id).await?;
    let filter = DeliveryFilter { event: Some(id), ..DeliveryFilter::default() };
    let deliveries = organisation.deliveries(filter, DELIVERIES_PAGE_MAX).await?;
    let deliveries = deliveries.iter().map(ShownDelivery::of).collect();
    Ok(Answer::ok(&DetailedEvent { event: ShownEvent::of(&event), deliveries }))
}

/// Remove what an event carried
///
/// Its payload and what endpoints answered to it are gone for good, and it cannot be delivered again. It is on record who
/// asked. Asking again changes nothing.
#[utoipa::path(post, path = "/v1/events/{id}/expunge", tag = "events", operation_id = "expungeEvent",
    params(("id" = String, Path, description = "The event's id")),
    responses((status = 200, description = "It is gone", body = ExpungedEvent)))]
async fn expunge(
    Administrator(caller): Administrator,
    State(api): State<Api>,
    Id(id): Id<EventId>,
) -> Result<Answer, Problem> {
    let expunged = caller.organisation(&api.store).expunge_event(&id).await?;
    let Expunged { at, by, payload, answers, under_way } = expunged;
    Ok(Answer::ok(&ExpungedEvent {
        id: id.to_string(),
        expunged_at: moment(at),
        expunged_by: by.to_string(),
        payload,
        answers,
        under_way,
    }))
}

impl ShownEvent {
    fn of(event: &LoggedEvent) -> Self {
        let expunged = event.expunged.as_ref();
        Self {
            id: event.event.to_string(),
            event_type: event.event_type.to_string(),
            appointment: event.appointment.clone(),
            occurred_at: moment(event.occurred_at),
            taken_at: moment(event.taken_at),
            test_event: event.is_test,
            expunged_at: expunged.map(|(at, _)| moment(*at)),
            expunged_by: expunged.map(|(_, by)| by.to_string()),
        }
    }
}
