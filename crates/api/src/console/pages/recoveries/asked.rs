//! What the dialog says: which deliveries to make again, and how fast.

use bellhop_model::{DeliveryStateName, WebhookId};
use bellhop_store::RECOVERY_PACE_DEFAULT;
use time::{Duration, OffsetDateTime};
use url::form_urlencoded;

use crate::answer::moment;
use crate::console::fields::Fields;
use crate::console::picker::utc;
use crate::problem::FieldProblem;
use crate::recovering::{AskedRecovery, RECOVERED, RecoveryRequest};

/// From when on deliveries are recovered unless somebody says otherwise.
const SINCE_DEFAULT: Duration = Duration::DAY;

/// The dialog as it was filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) since: String,
    pub(super) until: String,
    pub(super) states: Vec<String>,
    pub(super) event_type: String,
    pub(super) pace: String,
}

impl Asked {
    /// As the dialog is opened.
    pub(super) fn usual(now: OffsetDateTime) -> Self {
        Self {
            since: moment((now - SINCE_DEFAULT).replace_nanosecond(0).unwrap_or(now)),
            until: String::new(),
            states: RECOVERED.map(|state| state.as_str().to_owned()).into(),
            event_type: String::new(),
            pace: RECOVERY_PACE_DEFAULT.to_string(),
        }
    }

    /// What a query says; `None` when it asks for nothing.
    pub(super) fn of_query(query: &str) -> Option<Self> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let all =
            |name: &'static str| pairs.iter().filter(move |pair| pair.0 == name).map(|pair| pair.1.as_str());
        let text = |name: &'static str| all(name).next().unwrap_or_default().trim().to_owned();
        all("since").next()?;
        Some(Self {
            since: text("since"),
            until: text("until"),
            states: all("states").map(ToOwned::to_owned).collect(),
            event_type: text("type"),
            pace: text("pace"),
        })
    }

    /// What a form says.
    pub(super) fn of_form(fields: &Fields) -> Self {
        Self {
            since: fields.text("since").to_owned(),
            until: fields.text("until").to_owned(),
            states: fields.all("states").map(ToOwned::to_owned).collect(),
            event_type: fields.text("type").to_owned(),
            pace: fields.text("pace").to_owned(),
        }
    }

    /// The fields of a form that says the same.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let states = self.states.iter().map(|state| ("states", state.as_str()));
        let others = [
            ("since", &*self.since),
            ("until", &self.until),
            ("type", &self.event_type),
            ("pace", &self.pace),
        ];
        others.into_iter().chain(states)
    }

    /// Whether deliveries in a state are asked for.
    pub(super) fn has(&self, state: DeliveryStateName) -> bool {
        self.states.iter().any(|word| word == state.as_str())
    }

    /// Checks everything.
    ///
    /// # Errors
    /// What is wrong with each field.
    pub(super) fn read(&self, webhook: &WebhookId) -> Result<AskedRecovery, Vec<FieldProblem>> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let pace = given(&self.pace).map(|pace| pace.parse::<u32>());
        let request = RecoveryRequest {
            since: utc(&self.since),
            until: given(&self.until).map(|until| utc(&until)),
            states: Some(self.states.clone()),
            event_type: given(&self.event_type),
            // What is no number is as wrong as none at all.
            pace: pace.map(|pace| pace.unwrap_or(0)),
            dry_run: false,
        };
        request.read(webhook)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn webhook() -> WebhookId {
        WebhookId::from_uuid(&[7; 16])
    }

    #[test]
    fn what_is_usual_can_be_begun_at_once() {
        let asked = Asked::usual(datetime!(2026-11-26 08:00:00.5 UTC));
        let AskedRecovery { filter, pace } = asked.read(&webhook()).expect("nothing is wrong");
        assert_eq!(filter.since, datetime!(2026-11-25 08:00 UTC));
        assert_eq!((filter.states, filter.until, pace), (RECOVERED.to_vec(), None, RECOVERY_PACE_DEFAULT));
    }

    #[test]
    fn a_query_and_what_it_is_made_of_say_the_same() {
        let asked = Asked { event_type: "a.b&c".into(), ..Asked::usual(datetime!(2026-11-26 08:00 UTC)) };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(asked.pairs());
        assert_eq!(Asked::of_query(&query.finish()), Some(asked));
        assert_eq!(Asked::of_query("done=saved"), None);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let asked = Asked { since: "x".into(), pace: "fast".into(), ..Asked::default() };
        let errors = serde_json::to_value(asked.read(&webhook()).expect_err("wrong")).expect("JSON");
        let fields: Vec<&str> =
            errors.as_array().expect("a list").iter().filter_map(|error| error["field"].as_str()).collect();
        assert_eq!(fields, ["since", "states", "pace"]);
    }
}
