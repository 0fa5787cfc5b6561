//! Delivering many again: what is asked for, counting it, beginning it. The API and the console both do it by this.

use bellhop_model::{DeliveryStateName, WebhookId};
use bellhop_store::{NewRecovery, RECOVERY_PACE_DEFAULT, Recovery, RecoveryCount, RecoveryFilter};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::identity::Caller;
use crate::page::{TIME_EXPECTED, read_time};
use crate::problem::{FieldProblem, Problem};
use crate::publishing::to_the_end;
use crate::state::Api;

/// Most deliveries a second that an organisation may ask for: all recoveries share the due lane with everybody's retries,
/// and the operator has faster ones.
pub(crate) const PACE_MAX: u32 = 100;

/// The states in which a delivery has ended, and those that are recovered unless asked otherwise.
pub(crate) const ENDED: [DeliveryStateName; 3] =
    [DeliveryStateName::Exhausted, DeliveryStateName::Cancelled, DeliveryStateName::Delivered];
pub(crate) const RECOVERED: [DeliveryStateName; 2] =
    [DeliveryStateName::Exhausted, DeliveryStateName::Cancelled];

/// What part of the time that a request has may go into counting, so that there is an answer in any case. It is done to the
/// end although the caller hangs up, so that no connection is given back while PostgreSQL still counts on it.
const PATIENCE_PART: u32 = 2;

/// Which deliveries to make again, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewRecovery)]
pub(crate) struct RecoveryRequest {
    /// Those that began then or later.
    #[schema(format = DateTime, example = "2026-11-23T08:00:00Z")]
    pub(crate) since: String,
    /// Those that began earlier; all until now without it.
    #[schema(format = DateTime)]
    pub(crate) until: Option<String>,
    /// Those in one of these states: `exhausted`, `cancelled` or `delivered`; the first two without it.
    #[schema(min_items = 1, max_items = 3, example = json!(["exhausted", "cancelled"]))]
    pub(crate) states: Option<Vec<String>>,
    /// Those of events of this type; of any without it.
    #[serde(rename = "type")]
    #[schema(example = "appointment.scheduled")]
    pub(crate) event_type: Option<String>,
    /// How many a second at most.
    #[schema(minimum = 1, maximum = 100, default = 50)]
    pub(crate) pace: Option<u32>,
    /// Whether only to count what would be delivered again.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// Which deliveries to make again, and how many a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AskedRecovery {
    pub(crate) filter: RecoveryFilter,
    /// At least one.
    pub(crate) pace: u32,
}

impl RecoveryRequest {
    /// Checks everything.
    ///
    /// # Errors
    /// All that is wrong.
    pub(crate) fn read(&self, webhook: &WebhookId) -> Result<AskedRecovery, Vec<FieldProblem>> {
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
                Ok(AskedRecovery { filter, pace })
            }
            _ => Err(errors),
        }
    }
}

impl AskedRecovery {
    /// Counts what would be delivered again.
    ///
    /// # Errors
    /// When it could not be begun, or takes longer than a request has.
    pub(crate) async fn count(self, caller: Caller, api: &Api) -> Result<RecoveryCount, Problem> {
        let (shared, patience) = (api.clone(), api.options.request_timeout / PATIENCE_PART);
        let count = async move {
            Ok(caller.organisation(&shared.store).count_recovery(&self.filter, patience).await?)
        };
        to_the_end(api, count).await
    }

    /// Begins it, on record as the caller's.
    ///
    /// # Errors
    /// When it cannot be begun, or its counting takes longer than a request has.
    pub(crate) async fn begin(self, caller: Caller, api: &Api) -> Result<Recovery, Problem> {
        let (shared, patience) = (api.clone(), api.options.request_timeout / PATIENCE_PART);
        let begin = async move {
            let Self { filter, pace } = self;
            let new = NewRecovery { filter, pace, patience };
            Ok(caller.organisation(&shared.store).begin_recovery(&new).await?)
        };
        to_the_end(api, begin).await
    }
}

/// How many seconds it takes to deliver again what was counted.
///
/// * `pace`: deliveries a second, at least one.
pub(crate) fn seconds_at(pace: u32, count: &RecoveryCount) -> u64 {
    (count.found() - count.payload_gone).div_ceil(u64::from(pace))
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

    fn read(body: Value) -> Result<AskedRecovery, Vec<FieldProblem>> {
        let request: RecoveryRequest = serde_json::from_value(body).expect("of this shape");
        request.read(&WebhookId::from_uuid(&[7; 16]))
    }

    #[test]
    fn little_has_to_be_said() {
        let AskedRecovery { filter, pace } =
            read(json!({ "since": "2026-11-23T08:00:00Z" })).expect("enough");
        assert_eq!((filter.states, filter.until, pace), (RECOVERED.to_vec(), None, 50));
    }

    #[test]
    fn what_has_no_payload_takes_no_time() {
        let count = RecoveryCount { exhausted: 7, cancelled: 4, delivered: 0, payload_gone: 1 };
        assert_eq!([1, 4, 10, 100].map(|pace| seconds_at(pace, &count)), [10, 3, 1, 1]);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let all =
            json!({ "since": "yesterday", "until": "", "states": ["retrying"], "type": "a b", "pace": 101 });
        let errors = serde_json::to_value(read(all).expect_err("all wrong")).expect("JSON");
        let fields: Vec<&Value> =
            errors.as_array().expect("a list").iter().map(|error| &error["field"]).collect();
        assert_eq!(fields, ["since", "until", "states", "type", "pace"]);
        let backwards = json!({ "since": "2026-11-23T08:00:00Z", "until": "2026-11-23T08:00:00Z" });
        assert!(read(backwards).is_err());
        for states in [json!([]), json!(["exhausted", "exhausted", "exhausted", "exhausted"])] {
            assert!(read(json!({ "since": "2026-11-23T08:00:00Z", "states": states })).is_err(), "{states}");
        }
    }
}
