//! The account after a fault: what each endpoint received, held against what it was owed.

mod balance;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use bellhop_model::{End, Record, decode_batch, limits::ATTEMPTS_MAX};

pub use self::balance::{Balance, Owed};

use crate::amqp::{Amqp, Message, Received};
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::queues;
use crate::receiver::Request;

/// What came in, by endpoint and event.
#[derive(Debug)]
pub struct Account {
    deliveries: BTreeMap<(String, String), Vec<Request>>,
}

/// Events to put a load on a fleet: `load-0`, `load-1`, and so on.
#[must_use]
pub fn load(events: usize) -> Vec<Message> {
    (0..events).map(|number| Message::event("test", SCHEDULED, &load_id(number), APPOINTMENT)).collect()
}

/// Reads the records from what lay in the log.
///
/// # Errors
/// When a message is no batch of records.
pub fn records(logged: &[Received]) -> Result<Vec<Record>> {
    let batches = logged.iter().map(|message| decode_batch(&message.body).context("a batch in the log"));
    Ok(batches.collect::<Result<Vec<_>>>()?.concat())
}

/// Reads the ends of deliveries from what lay in the log.
///
/// # Errors
/// When a message is no batch of records.
pub fn ends(logged: &[Received]) -> Result<Vec<End>> {
    let ends = records(logged)?.into_iter().filter_map(|record| match record {
        Record::End(end) => Some(end),
        Record::Event(_) | Record::Attempt(_) | Record::Waiting(_) => None,
    });
    Ok(ends.collect())
}

/// Takes messages off the log until they hold as many ends of deliveries.
///
/// # Errors
/// When there are not as many in time.
pub async fn take_ends(amqp: &Amqp, count: usize) -> Result<Vec<End>> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.extend(ends(&amqp.take(queues::LOG, 1).await?)?);
    }
    Ok(taken)
}

/// Insists that the log tells of no end, or of none beyond those that were taken.
///
/// # Errors
/// With the ends it tells of.
pub async fn ensure_no_ends(amqp: &Amqp) -> Result<()> {
    let left = ends(&amqp.drain(queues::LOG).await?)?;
    ensure!(left.is_empty(), "the log holds {left:?}");
    Ok(())
}

impl Account {
    /// Sorts requests by delivery.
    #[must_use]
    pub fn of(requests: Vec<Request>) -> Self {
        let mut deliveries: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for request in requests {
            let delivery = (request.path().to_owned(), request.webhook_id().to_owned());
            deliveries.entry(delivery).or_default().push(request);
        }
        Self { deliveries }
    }

    /// Insists that every event of a load was taken by every endpoint.
    ///
    /// # Errors
    /// With the first that was not.
    pub fn ensure_nothing_lost(&self, events: usize, endpoints: &[&str]) -> Result<()> {
        for endpoint in endpoints {
            for number in 0..events {
                let delivery = (format!("/{endpoint}"), load_id(number));
                let requests = self.deliveries.get(&delivery).map(Vec::as_slice).unwrap_or_default();
                let is_taken = requests.iter().filter_map(Request::status).any(|status| status < 300);
                ensure!(is_taken, "{delivery:?} was not delivered; requests: {requests:?}");
            }
        }
        Ok(())
    }

    /// Insists that no request was repeated more often than there were faults.
    ///
    /// # Errors
    /// With the first that was.
    pub fn ensure_bounded(&self, faults: usize) -> Result<()> {
        match self.breaches(faults).into_iter().next() {
            None => Ok(()),
            Some(breach) => bail!(breach),
        }
    }

    /// Every delivery that had a request that could not be, or more of them than the faults on it explain.
    ///
    /// * `faults`: how many faults may have caught one delivery.
    #[must_use]
    pub fn breaches(&self, faults: usize) -> Vec<String> {
        self.deliveries.iter().filter_map(|(delivery, requests)| breach(delivery, requests, faults)).collect()
    }

    /// When the last delivery of some events to some endpoints was over: answered with success, or the last attempt made.
    ///
    /// * returns none when one of them never was, or none were asked for.
    #[must_use]
    pub fn last_over<'a>(
        &self,
        events: impl IntoIterator<Item = &'a str>,
        endpoints: &[&str],
    ) -> Option<Instant> {
        let is_over = |request: &&Request| {
            request.status().is_some_and(|status| status < 300) || request.attempt() == ATTEMPTS_MAX
        };
        let mut last = None;
        for event in events {
            for endpoint in endpoints {
                let requests = self.deliveries.get(&((*endpoint).to_owned(), event.to_owned()))?;
                last = last.max(Some(requests.iter().find(is_over)?.arrived));
            }
        }
        last
    }

    /// When the first request of a delivery came.
    ///
    /// * returns none when none did.
    #[must_use]
    pub fn first(&self, endpoint: &str, event: &str) -> Option<Instant> {
        let requests = self.deliveries.get(&(endpoint.to_owned(), event.to_owned()))?;
        requests.iter().map(|request| request.arrived).min()
    }

    /// How many requests were repeats of an attempt.
    #[must_use]
    pub fn repeats(&self) -> usize {
        let repeats = |requests: &Vec<Request>| {
            let mut attempts: Vec<u8> = requests.iter().map(Request::attempt).collect();
            attempts.sort_unstable();
            attempts.dedup();
            requests.len() - attempts.len()
        };
        self.deliveries.values().map(repeats).sum()
    }
}

fn breach(delivery: &(String, String), requests: &[Request], faults: usize) -> Option<String> {
    let attempts: Vec<u8> = requests.iter().map(Request::attempt).collect();
    let same = |attempt: u8| attempts.iter().filter(|made| **made == attempt).count();
    let is_too_many = usize::from(ATTEMPTS_MAX) + faults < requests.len();
    let is_repeated = (1..=ATTEMPTS_MAX).any(|attempt| 1 + faults < same(attempt));
    let what = if attempts.iter().any(|attempt| !(1..=ATTEMPTS_MAX).contains(attempt)) {
        "an attempt that cannot be"
    } else if is_too_many || is_repeated {
        "too many requests"
    } else {
        return None;
    };
    let told: Vec<String> = requests.iter().map(ToString::to_string).collect();
    Some(format!("{delivery:?} had {what}, {faults} faults: attempts {attempts:?}\n{}", told.join("\n")))
}

/// What the event of this number in a load is called.
#[must_use]
pub fn load_id(number: usize) -> String {
    format!("load-{number}")
}
