//! What is asked for by who wants many delivered again.

use bellhop_model::{DeliveryStateName, WebhookId};
use bellhop_store::{RECOVERY_PACE_DEFAULT, RecoveryFilter};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::page::{TIME_EXPECTED, read_time};
use crate::problem::{FieldProblem, Problem};

/// Most deliveries a second that an organisation may ask for: all recoveries share the due lane with everybody's retries,
/// and the operator has faster ones.
const PACE_MAX: u32 = 100;

/// The states in which a delivery has ended, and those that are recovered unless asked otherwise.
const ENDED: [DeliveryStateName; 3] =
    [DeliveryStateName::Exhausted, DeliveryStateName::Cancelled, DeliveryStateName::Delivered];
const RECOVERED: [DeliveryStateName; 2] = [DeliveryStateName::Exhausted, DeliveryStateName::Cancelled];

/// Which deliveries to make again, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewRecovery)]
pub(super) struct RecoveryRequest {
    /// Those that began then or later.
    #[schema(format = DateTime, example = "2026-11-23T08:00:00Z")]
    since: String,
    /// Those that began earlier; all until now without it.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Those in one of these states: `exhausted`, `cancelled` or `delivered`; the first two without it.
    #[schema(min_items = 1, max_items = 3, example = json!(["exhausted", "cancelled"]))]
    states: Option<Vec<String>>,
    /// Those of events of this type; of any without it.
    #[serde(rename = "type")]
    #[schema(example = "appointment.scheduled")]
    event_type: Option<String>,
    /// How many a second at most.
    #[schema(minimum = 1, maximum = 100, default = 50)]
    pace: Option<u32>,
    /// Whether only to count what would be delivered again.
    #[serde(default)]
    dry_run: bool,
}

impl RecoveryRequest {
    /// Checks everything, and tells all that is wrong.
    ///
    /// * returns which deliveries, how many a second, and whether they are only counted.
    pub(super) fn read(self, webhook: &WebhookId) -> Result<(RecoveryFilter, u32, bool), Problem> {
        let mut errors = Vec::new();
        let mut wrong = |field: &str, message: String| errors.push(FieldProblem::new(field, message));
        let since = read_time(&self.since);
        if since.is_none() {
            wrong("since", TIME_EXPECTED.to_owned());
        }
        let until = self.until.as_deref().map(read_time);
        if until == Some(None) {
            wrong("until", TIME_EXPECTED.to_owned());
        }
        let until = until.flatten();
        if until.zip(since).is_some_and(|(until, since)| until <= since) {
            wrong("until", "must be later than `since`".to_owned());
        }
        let states = match &self.states {
            None => Some(RECOVERED.to_vec()),
            Some(words) => states(words),
        };
        if states.is_none() {
            wrong("states", "must be one to three of `exhausted`, `cancelled` and `delivered`".to_owned());
        }
        let event_type = self.event_type.as_deref().map(str::parse).transpose();
        let event_type = event_type.map_err(|error| wrong("type", format!("is wrong: {error}")));
        let pace = self.pace.unwrap_or(RECOVERY_PACE_DEFAULT);
        if !(1..=PACE_MAX).contains(&pace) {
            wrong("pace", format!("must be 1 to {PACE_MAX}"));
        }
        match (since, states, event_type) {
            (Some(since), Some(states), Ok(event_type)) if errors.is_empty() => {
                let filter = RecoveryFilter { webhook: webhook.clone(), states, event_type, since, until };
                Ok((filter, pace, self.dry_run))
            }
            _ => Err(Problem::invalid(errors)),
        }
    }
}

fn states(words: &[String]) -> Option<Vec<DeliveryStateName>> {
    let known = |word: &String| ENDED.into_iter().find(|state| state.as_str() == word);
    let is_count = (1..=ENDED.len()).contains(&words.len());
    words.iter().map(known).collect::<Option<Vec<_>>>().filter(|_| is_count)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: Value) -> Result<(RecoveryFilter, u32, bool), Problem> {
        let request: RecoveryRequest = serde_json::from_value(body).expect("of this shape");
        request.read(&WebhookId::from_uuid(&[7; 16]))
    }

    #[test]
    fn little_has_to_be_said() {
        let (filter, pace, is_dry) = read(json!({ "since": "2026-11-23T08:00:00Z" })).expect("enough");
        assert_eq!((filter.states, filter.until, pace, is_dry), (RECOVERED.to_vec(), None, 50, false));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let all =
            json!({ "since": "yesterday", "until": "", "states": ["retrying"], "type": "a b", "pace": 101 });
        let problem = serde_json::to_value(read(all).expect_err("all wrong")).expect("JSON");
        let fields: Vec<&Value> =
            problem["errors"].as_array().expect("errors").iter().map(|error| &error["field"]).collect();
        assert_eq!(fields, ["since", "until", "states", "type", "pace"]);
        let backwards = json!({ "since": "2026-11-23T08:00:00Z", "until": "2026-11-23T08:00:00Z" });
        assert!(read(backwards).is_err());
        for states in [json!([]), json!(["exhausted", "exhausted", "exhausted", "exhausted"])] {
            assert!(read(json!({ "since": "2026-11-23T08:00:00Z", "states": states })).is_err(), "{states}");
        }
    }
}
