//! The balance of a fleet after faults: every delivery that was owed, and whether each promise about it was kept.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use bellhop_model::{End, EndState};
use serde::Serialize;

use super::Account;
use crate::receiver::Request;

/// A delivery as an endpoint sees it: the path of the one, and the id of the event.
type Delivery = (String, String);

/// What was owed.
#[derive(Debug, Clone, Default)]
pub struct Owed {
    /// The ids of events that the broker had confirmed.
    pub events: BTreeSet<String>,
    /// Paths of endpoints that take an event sooner or later.
    pub taking: Vec<&'static str>,
    /// Paths of endpoints that refuse everything, so that each delivery to them must end as exhausted.
    pub refusing: Vec<&'static str>,
}

/// What came of what was owed.
#[derive(Debug, Clone, Serialize)]
pub struct Balance {
    /// Events that the broker had confirmed.
    pub events: usize,
    /// Deliveries that were owed: each event to each endpoint.
    pub deliveries: usize,
    /// Deliveries that ended: answered with success, or their end is in the log.
    pub ended: usize,
    /// Deliveries that did not.
    pub lost: usize,
    /// Requests that endpoints received, also for events that were published and not confirmed.
    pub requests: usize,
    /// Requests that repeated an attempt.
    pub repeats: usize,
    /// The largest number that an attempt had.
    pub attempt_max: u8,
    /// The most requests that one delivery had.
    pub requests_max: usize,
    /// The promises that were broken, by whom.
    pub breaches: Vec<String>,
}

impl Owed {
    /// How many deliveries that is.
    #[must_use]
    pub fn deliveries(&self) -> usize {
        self.events.len() * (self.taking.len() + self.refusing.len())
    }
}

impl Balance {
    /// Draws the balance.
    ///
    /// * `ends`: what lay in the log.
    /// * `path_of`: the path of a webhook's endpoint, by the webhook's id.
    /// * `faults`: how many faults may have caught one delivery; none means that nothing may be repeated.
    ///
    /// # Errors
    /// When an end is about no known webhook, or about no event.
    pub fn of(
        account: &Account,
        ends: &[End],
        owed: &Owed,
        path_of: impl Fn(&str) -> Option<String>,
        faults: usize,
    ) -> Result<Self> {
        let mut recorded = BTreeSet::new();
        let mut breaches = Vec::new();
        for end in ends {
            let path = path_of(end.webhook.as_str()).context("an end of an unknown webhook")?;
            let state = end.reason.state();
            let delivery = (path, event_id(end)?);
            let is_expected = owed.refusing.iter().any(|path| *path == delivery.0);
            if !is_expected || state != EndState::Exhausted {
                breaches.push(format!("{delivery:?} ended as {}, which nothing explains", state.as_str()));
            }
            recorded.insert(delivery);
        }
        let lost = lost(account, &recorded, owed);
        breaches.extend(lost.iter().map(|delivery| format!("{delivery:?} is lost: it never ended")));
        breaches.extend(account.breaches(faults));
        let requests = || account.deliveries.values();
        Ok(Self {
            events: owed.events.len(),
            deliveries: owed.deliveries(),
            ended: owed.deliveries() - lost.len(),
            lost: lost.len(),
            requests: requests().map(Vec::len).sum(),
            repeats: account.repeats(),
            attempt_max: requests().flatten().map(Request::attempt).max().unwrap_or_default(),
            requests_max: requests().map(Vec::len).max().unwrap_or_default(),
            breaches,
        })
    }
}

fn lost(account: &Account, recorded: &BTreeSet<Delivery>, owed: &Owed) -> Vec<Delivery> {
    let mut lost = Vec::new();
    for event in &owed.events {
        for endpoint in owed.taking.iter().chain(&owed.refusing) {
            let delivery = delivery(endpoint, event);
            let requests = account.deliveries.get(&delivery).map(Vec::as_slice).unwrap_or_default();
            let is_taken = requests.iter().filter_map(Request::status).any(|status| status < 300);
            if !is_taken && !recorded.contains(&delivery) {
                lost.push(delivery);
            }
        }
    }
    lost
}

fn delivery(endpoint: &str, event: &str) -> Delivery {
    (endpoint.to_owned(), event.to_owned())
}

fn event_id(end: &End) -> Result<String> {
    let event: serde_json::Value = serde_json::from_slice(&end.event).context("the event of an end")?;
    Ok(event["id"].as_str().context("the id of an ended event")?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bellhop_model::{Attempt, DeliveryId, EndReason, Mode, Series, WebhookId};
    use bytes::Bytes;

    use super::*;

    /// One request: path, event, attempt, status.
    type Made = (&'static str, &'static str, u8, u16);

    /// What two endpoints get of one event when nothing goes wrong.
    const SOUND: [Made; 4] =
        [("/a", "evt_1", 1, 200), ("/b", "evt_1", 1, 500), ("/b", "evt_1", 2, 500), ("/b", "evt_1", 3, 500)];

    fn account(made: &[Made]) -> Account {
        let requests = made.iter().map(|(path, event, attempt, status)| {
            let request = hyper::Request::post(*path)
                .header("webhook-id", *event)
                .header("webhook-attempt", attempt.to_string());
            let (head, ()) = request.body(()).expect("a request").into_parts();
            let mut request = Request::new(&head, Bytes::new(), Instant::now());
            request.answered(*status);
            request
        });
        Account::of(requests.collect())
    }

    fn end(reason: EndReason) -> End {
        let (webhook, event) = (WebhookId::from_uuid(&[1; 16]), "evt_1".parse().expect("an id"));
        let organisation = "org_a".parse().expect("an id");
        End {
            delivery: DeliveryId::derive(Mode::Test, &organisation, &event, &webhook),
            mode: Mode::Test,
            organisation,
            webhook,
            series: Series::FIRST,
            attempt: Some(Attempt::FIRST),
            reason,
            outcome: "5xx".to_owned(),
            ended_at_us: 0,
            event: br#"{"id":"evt_1"}"#.to_vec(),
        }
    }

    /// Endpoint `/a` takes, `/b` refuses, and the only webhook with ends is that of `/b`.
    fn balance(made: &[Made], ends: &[End], faults: usize) -> Balance {
        let owed = Owed { events: ["evt_1".to_owned()].into(), taking: vec!["/a"], refusing: vec!["/b"] };
        Balance::of(&account(made), ends, &owed, |_| Some("/b".to_owned()), faults).expect("a balance")
    }

    fn extended(made: Made) -> Vec<Made> {
        SOUND.into_iter().chain([made]).collect()
    }

    #[test]
    fn what_was_taken_or_has_its_end_in_the_log_has_ended() {
        let balance = balance(&SOUND, &[end(EndReason::AttemptsFailed)], 0);
        assert_eq!(balance.breaches, Vec::<String>::new());
        assert_eq!((balance.deliveries, balance.ended, balance.lost), (2, 2, 0));
        assert_eq!((balance.requests, balance.repeats), (4, 0));
        assert_eq!((balance.attempt_max, balance.requests_max), (3, 3));
    }

    #[test]
    fn a_lost_delivery_is_flagged_whether_it_was_never_taken_or_never_recorded() {
        for (made, ends, lost) in [
            (&SOUND[1..], vec![end(EndReason::AttemptsFailed)], "/a"),
            (&[("/a", "evt_1", 1, 500)], vec![end(EndReason::AttemptsFailed)], "/a"),
            (&SOUND, vec![], "/b"),
        ] {
            let balance = balance(made, &ends, 9);
            assert_eq!((balance.ended, balance.lost), (1, 1), "{balance:?}");
            assert!(
                balance.breaches[0].contains(lost) && balance.breaches[0].contains("lost"),
                "{balance:?}"
            );
        }
    }

    #[test]
    fn an_attempt_beyond_the_third_is_flagged_whatever_the_faults() {
        let balance = balance(&extended(("/b", "evt_1", 4, 500)), &[end(EndReason::AttemptsFailed)], 9);
        assert_eq!(balance.attempt_max, 4);
        assert!(matches!(&balance.breaches[..], [told] if told.contains("cannot be")), "{balance:?}");
    }

    #[test]
    fn one_request_too_many_is_flagged_and_one_explained_by_a_fault_is_not() {
        for repeated in [("/a", "evt_1", 1, 200), ("/b", "evt_1", 2, 500)] {
            let with_faults =
                |faults| balance(&extended(repeated), &[end(EndReason::AttemptsFailed)], faults);
            assert_eq!(with_faults(0).repeats, 1);
            assert!(matches!(&with_faults(0).breaches[..], [told] if told.contains("too many")));
            assert_eq!(with_faults(1).breaches, Vec::<String>::new());
        }
    }

    #[test]
    fn an_end_that_nothing_explains_is_flagged() {
        let cancelled = balance(&SOUND, &[end(EndReason::WebhookInactive)], 0);
        assert!(matches!(&cancelled.breaches[..], [told] if told.contains("cancelled")), "{cancelled:?}");
    }
}
