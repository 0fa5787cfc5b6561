//! Which deliveries a list shows, and where in it a page ends.

use std::fmt;
use std::str::FromStr;

use bellhop_model::{
    Answer, DeliveryId, DeliveryStateName, EventId, EventType, Mode, OrganisationId, Outcome, WebhookId,
    micros_of,
};
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;

use super::LoggedDelivery;
use super::entry::moment;

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only of this mode.
    pub mode: Option<Mode>,
    /// Only of this organisation.
    pub organisation: Option<OrganisationId>,
    /// Only to this webhook.
    pub webhook: Option<WebhookId>,
    /// Only in this state.
    pub state: Option<DeliveryStateName>,
    /// Only of this type.
    pub event_type: Option<EventType>,
    /// Only of this event.
    pub event: Option<EventId>,
    /// Only of events of this appointment; found by mode and organisation, so both should be given.
    pub appointment: Option<String>,
    /// Only those whose last request was answered so.
    pub status: Option<StatusFilter>,
    /// Only those that began at this moment or later.
    pub since: Option<OffsetDateTime>,
    /// Only those that began before this moment.
    pub until: Option<OffsetDateTime>,
    /// Only those after the last of the page before.
    pub after: Option<DeliveryCursor>,
}

/// How a request was answered. As text, `503` or `5xx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// With this status.
    Exactly(u16),
    /// With a status of this hundred, 2 to 5.
    Class(u8),
}

/// A text that is no status, nor a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a status such as `503`, or one of `2xx`, `3xx`, `4xx` and `5xx`")]
pub struct StatusFilterError;

/// A place in a list of deliveries. As text, `<microseconds>.<delivery>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryCursor {
    begun_at: OffsetDateTime,
    id: DeliveryId,
}

/// A text that is no place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a place in a list of deliveries: take what the page before told")]
pub struct DeliveryCursorError;

pub(super) type Parameter = Box<dyn ToSql + Sync + Send>;

/// A filter in SQL.
pub(super) struct Conditions {
    /// What follows `WHERE` where a page is found. Only what is asked for is in it, so that the right index serves.
    pub(super) of_page: String,
    /// What follows `WHERE` where its rows are read: whose they must be, when one webhook is asked about. All of its
    /// deliveries are one organisation's, in one mode, so the page is the same. Beside the webhook, the planner would
    /// multiply the three as if they were independent, expect less than a page, and read and sort all there is.
    pub(super) of_rows: String,
    /// Of both.
    pub(super) parameters: Vec<Parameter>,
}

/// What was not taken was not delivered: by these very words the planner knows that the index of that will do.
const UNDELIVERED: &str = "state <> 'delivered'";

/// The same of what was delivered, whose row has the status of the request that was taken.
const TAKEN: &str = "state = 'delivered'";

/// The outcome of what was delivered.
const DELIVERED: &str = "2xx";

const OF_APPOINTMENT: &str = "(mode, organisation, event) IN \
     (SELECT events.mode, events.organisation, events.event FROM events \
      WHERE events.mode = deliveries.mode AND events.organisation = deliveries.organisation AND events.appointment";

/// The same where `$1` is the mode and `$2` the organisation: it refers to no row of the list, so that the few events of an
/// appointment are looked up first, not for each delivery whether it is of one of them.
const OF_OUR_APPOINTMENT: &str = "event IN (SELECT events.event FROM events \
     WHERE events.mode = $1 AND events.organisation = $2 AND events.appointment";

/// The status of the last request. The record of an end does not repeat it, so it is looked up for what has ended; by
/// ids between those of the delivery's time, which spares the partitions of other days.
const LAST_STATUS: &str = "coalesce(status, (\
     SELECT made.status FROM attempts AS made \
     WHERE made.mode = deliveries.mode AND made.delivery = deliveries.id AND made.series = deliveries.series \
       AND (lpad(to_hex(floor(extract(epoch FROM begun_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid <= made.request \
       AND made.request <= (lpad(to_hex(floor(extract(epoch FROM since) * 1000)::bigint), 12, '0') || repeat('f', 20))::uuid \
     ORDER BY made.request DESC LIMIT 1))";

impl DeliveryFilter {
    /// Writes it down.
    pub(super) fn conditions(&self) -> Conditions {
        let Self { mode, organisation, webhook, state, event_type, event, appointment, .. } = self;
        let mut all = Gathered { conditions: vec!["true".to_owned()], parameters: Vec::new() };
        let text = |text: Option<&str>| text.map(|text| Box::new(text.to_owned()) as Parameter);
        all.require("mode =", text(mode.map(Mode::as_str)), "");
        all.require("organisation =", text(organisation.as_ref().map(OrganisationId::as_str)), "");
        let whose = if webhook.is_some() { all.conditions.split_off(1) } else { Vec::new() };
        all.require("webhook =", text(webhook.as_ref().map(WebhookId::as_str)), "");
        all.require("state =", text(state.map(DeliveryStateName::as_str)), "");
        all.require("event_type =", text(event_type.as_ref().map(EventType::as_str)), "");
        all.require("event =", text(event.as_ref().map(EventId::as_str)), "");
        let is_ours = mode.is_some() && organisation.is_some();
        let of_appointment = if is_ours { OF_OUR_APPOINTMENT } else { OF_APPOINTMENT };
        all.require(&format!("{of_appointment} ="), text(appointment.as_deref()), ")");
        all.require("outcome =", text(self.status.map(StatusFilter::label)), "");
        if let Some(StatusFilter::Exactly(status)) = self.status {
            let is_taken = status_label(status) == DELIVERED;
            let last_status = if is_taken { "status" } else { LAST_STATUS };
            all.require(&format!("{last_status} ="), Some(Box::new(i32::from(status))), "");
        }
        all.require("begun_at >=", self.since.map(|since| Box::new(since) as Parameter), "");
        all.require("begun_at <", self.until.map(|until| Box::new(until) as Parameter), "");
        if let Some(DeliveryCursor { begun_at, id }) = &self.after {
            all.parameters.push(Box::new(*begun_at));
            all.parameters.push(Box::new(id.as_str().to_owned()));
            let count = all.parameters.len();
            all.conditions.push(format!("(begun_at, id) < (${}, ${count})", count - 1));
        }
        // Whoever asks for a state has said it. Said twice, the planner takes it for rarer than it is.
        if let (None, Some(status)) = (self.state, self.status) {
            let state = if status.label() == DELIVERED { TAKEN } else { UNDELIVERED };
            all.conditions.push(state.to_owned());
        }
        let of_rows = if whose.is_empty() { "true".to_owned() } else { whose.join(" AND ") };
        Conditions { of_page: all.conditions.join(" AND "), of_rows, parameters: all.parameters }
    }
}

/// Conditions and parameters as they come together.
struct Gathered {
    conditions: Vec<String>,
    parameters: Vec<Parameter>,
}

impl Gathered {
    /// Adds a condition on a parameter, where there is one.
    fn require(&mut self, condition: &str, parameter: Option<Parameter>, end: &str) {
        if let Some(parameter) = parameter {
            self.parameters.push(parameter);
            self.conditions.push(format!("{condition} ${}{end}", self.parameters.len()));
        }
    }
}

impl StatusFilter {
    /// The outcome that a request which was answered so has.
    const fn label(self) -> &'static str {
        match self {
            Self::Exactly(status) => status_label(status),
            Self::Class(hundred) => status_label(hundred as u16 * 100),
        }
    }
}

/// The outcome of a request that was answered with a status.
const fn status_label(status: u16) -> &'static str {
    Outcome::Answered(Answer { status, retry_after: None }).label()
}

impl FromStr for StatusFilter {
    type Err = StatusFilterError;

    fn from_str(text: &str) -> Result<Self, StatusFilterError> {
        if let Some(hundred) = text.strip_suffix("xx") {
            let hundred = hundred.parse().ok().filter(|hundred| (2..=5).contains(hundred) && text.len() == 3);
            return hundred.map(Self::Class).ok_or(StatusFilterError);
        }
        let status = text.parse().ok().filter(|status| (200..=999).contains(status) && text.len() == 3);
        status.map(Self::Exactly).ok_or(StatusFilterError)
    }
}

impl LoggedDelivery {
    /// The place of this delivery in a list.
    #[must_use]
    pub fn cursor(&self) -> DeliveryCursor {
        DeliveryCursor { begun_at: self.begun_at, id: self.id.clone() }
    }
}

impl fmt::Display for DeliveryCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", micros_of(self.begun_at), self.id)
    }
}

impl FromStr for DeliveryCursor {
    type Err = DeliveryCursorError;

    fn from_str(text: &str) -> Result<Self, DeliveryCursorError> {
        let (micros, id) = text.split_once('.').ok_or(DeliveryCursorError)?;
        let micros = micros.parse().map_err(|_| DeliveryCursorError)?;
        let begun_at = moment(micros).map_err(|_| DeliveryCursorError)?;
        Ok(Self { begun_at, id: id.parse().map_err(|_| DeliveryCursorError)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_list_survives_its_text() {
        let text = format!("1700000000000123.dlv_{}", "0a".repeat(16));
        let cursor: DeliveryCursor = text.parse().expect("a place");
        assert_eq!(cursor.to_string(), text);
        for text in ["", "1700000000000123", "x.dlv_00", "1.dlv_00", "99999999999999999999.dlv_00"] {
            assert!(text.parse::<DeliveryCursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_status_is_asked_for_by_number_or_by_hundred() {
        for (text, filter, label) in [
            ("200", StatusFilter::Exactly(200), "2xx"),
            ("503", StatusFilter::Exactly(503), "5xx"),
            ("600", StatusFilter::Exactly(600), "other"),
            ("4xx", StatusFilter::Class(4), "4xx"),
        ] {
            assert_eq!(text.parse(), Ok(filter));
            assert_eq!(filter.label(), label);
        }
        for text in ["", "xx", "6xx", "1xx", "0503", "+503", "99", "1000", "+5xx", "5XX", "503 "] {
            assert_eq!(text.parse::<StatusFilter>(), Err(StatusFilterError), "{text}");
        }
    }

    #[test]
    fn only_what_is_asked_for_is_in_the_condition() {
        let Conditions { of_page: conditions, parameters, .. } = DeliveryFilter::default().conditions();
        assert_eq!((conditions.as_str(), parameters.len()), ("true", 0));
        let cursor = format!("1.dlv_{}", "0".repeat(32)).parse().expect("a place");
        let filter =
            DeliveryFilter { mode: Some(Mode::Live), after: Some(cursor), ..DeliveryFilter::default() };
        let Conditions { of_page: conditions, parameters, .. } = filter.conditions();
        assert_eq!(conditions, "true AND mode = $1 AND (begun_at, id) < ($2, $3)");
        assert_eq!(parameters.len(), 3);
    }

    #[test]
    fn the_events_of_an_appointment_are_looked_up_first_where_it_is_known_whose_it_is() {
        let filter = DeliveryFilter { appointment: Some("apt_1".into()), ..DeliveryFilter::default() };
        assert!(filter.conditions().of_page.contains("events.mode = deliveries.mode"));
        let organisation = "org_a".parse().ok();
        let ours = DeliveryFilter { mode: Some(Mode::Live), organisation, ..filter };
        let Conditions { of_page: conditions, parameters, .. } = ours.conditions();
        assert_eq!(
            conditions,
            "true AND mode = $1 AND organisation = $2 AND event IN (SELECT events.event FROM events \
             WHERE events.mode = $1 AND events.organisation = $2 AND events.appointment = $3)"
        );
        assert_eq!(parameters.len(), 3);
    }

    #[test]
    fn whose_a_webhook_is_is_asked_of_the_rows_of_a_page_alone() {
        let organisation = "org_a".parse().ok();
        let ours = DeliveryFilter { mode: Some(Mode::Live), organisation, ..DeliveryFilter::default() };
        assert_eq!(ours.conditions().of_page, "true AND mode = $1 AND organisation = $2");
        assert_eq!(ours.conditions().of_rows, "true");
        let webhook = format!("wh_{}", "a".repeat(32)).parse().ok();
        let of_webhook = DeliveryFilter { webhook, ..ours }.conditions();
        assert_eq!(of_webhook.of_page, "true AND webhook = $3");
        assert_eq!(of_webhook.of_rows, "mode = $1 AND organisation = $2");
        assert_eq!(of_webhook.parameters.len(), 3);
    }

    #[test]
    fn a_status_says_whether_it_was_delivered_and_a_state_is_said_once() {
        let with_status = |status| {
            DeliveryFilter { status: Some(status), ..DeliveryFilter::default() }.conditions().of_page
        };
        for failed in [StatusFilter::Class(5), StatusFilter::Exactly(404)] {
            let conditions = with_status(failed);
            assert!(conditions.ends_with(" AND state <> 'delivered'"), "{conditions}");
        }
        let taken = with_status(StatusFilter::Exactly(204));
        assert!(taken.ends_with(" AND status = $2 AND state = 'delivered'"), "{taken}");
        let status = Some(StatusFilter::Class(5));
        let both =
            DeliveryFilter { state: Some(DeliveryStateName::Exhausted), status, ..DeliveryFilter::default() };
        assert_eq!(both.conditions().of_page, "true AND state = $1 AND outcome = $2");
    }
}
