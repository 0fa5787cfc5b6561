//! Which deliveries of a webhook are asked for: the words that the API and the console take, and what each means.

use std::fmt;
use std::str::FromStr;

use bellhop_model::WebhookId;
use bellhop_store::DeliveryFilter;

use crate::page::{TIME_EXPECTED, WORD_EXPECTED, is_word, read_time};
use crate::problem::FieldProblem;

/// What a list of deliveries is narrowed by, as it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sought {
    /// A state.
    pub(crate) state: Option<String>,
    /// An event type.
    pub(crate) event_type: Option<String>,
    /// The id of an appointment.
    pub(crate) appointment: Option<String>,
    /// A status, or a hundred of them.
    pub(crate) status: Option<String>,
    /// A moment at which, or after which, they began.
    pub(crate) since: Option<String>,
    /// A moment before which they began.
    pub(crate) until: Option<String>,
}

impl Sought {
    /// Checks everything.
    ///
    /// # Errors
    /// What is wrong with each field, by its name in a query.
    pub(crate) fn read(&self, webhook: &WebhookId) -> Result<DeliveryFilter, Vec<FieldProblem>> {
        let mut errors = Vec::new();
        let filter = DeliveryFilter {
            webhook: Some(webhook.clone()),
            state: parsed("state", self.state.as_deref(), &mut errors),
            event_type: parsed("type", self.event_type.as_deref(), &mut errors),
            appointment: self.appointment.clone(),
            status: parsed("status", self.status.as_deref(), &mut errors),
            since: self.since.as_deref().and_then(read_time),
            until: self.until.as_deref().and_then(read_time),
            ..DeliveryFilter::default()
        };
        if !self.appointment.as_deref().is_none_or(is_word) {
            errors.push(FieldProblem::new("appointment", WORD_EXPECTED));
        }
        for (name, given, read) in
            [("since", &self.since, filter.since), ("until", &self.until, filter.until)]
        {
            if given.is_some() && read.is_none() {
                errors.push(FieldProblem::new(name, TIME_EXPECTED));
            }
        }
        if errors.is_empty() { Ok(filter) } else { Err(errors) }
    }
}

fn parsed<T>(name: &str, given: Option<&str>, errors: &mut Vec<FieldProblem>) -> Option<T>
where
    T: FromStr<Err: fmt::Display>,
{
    let read = given.map(str::parse).transpose();
    read.unwrap_or_else(|error| {
        errors.push(FieldProblem::new(name, format!("is wrong: {error}")));
        None
    })
}

#[cfg(test)]
mod tests {
    use bellhop_model::DeliveryStateName;

    use super::*;

    fn webhook() -> WebhookId {
        WebhookId::from_uuid(&[7; 16])
    }

    #[test]
    fn nothing_asks_for_everything_of_the_webhook() {
        let filter = Sought::default().read(&webhook()).expect("nothing is wrong");
        assert_eq!(filter.webhook, Some(webhook()));
        assert!(filter.state.is_none() && filter.since.is_none());
    }

    #[test]
    fn each_word_narrows() {
        let given = |text: &str| Some(text.to_owned());
        let sought = Sought {
            state: given("exhausted"),
            event_type: given("appointment.cancelled"),
            appointment: given("apt_1"),
            status: given("5xx"),
            since: given("2026-11-23T08:00:00Z"),
            until: given("2026-11-24T08:00:00+01:00"),
        };
        let filter = sought.read(&webhook()).expect("all right");
        assert_eq!(filter.state, Some(DeliveryStateName::Exhausted));
        assert_eq!(filter.appointment.as_deref(), Some("apt_1"));
        assert!(filter.event_type.is_some() && filter.status.is_some());
        assert!(filter.since < filter.until);
    }

    #[test]
    fn all_that_is_wrong_is_told_by_its_field() {
        let given = |text: &str| Some(text.to_owned());
        let sought = Sought {
            state: given("lost"),
            event_type: given("x"),
            appointment: given("\0"),
            status: given("1xx"),
            since: given("yesterday"),
            until: given(""),
        };
        let errors = sought.read(&webhook()).expect_err("all wrong");
        let shown = serde_json::to_value(&errors).expect("JSON");
        let fields: Vec<&str> =
            shown.as_array().expect("a list").iter().filter_map(|error| error["field"].as_str()).collect();
        assert_eq!(fields, ["state", "type", "status", "appointment", "since", "until"]);
    }
}
