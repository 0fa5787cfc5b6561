//! The delivery log of a row that has a recorder: held against the receivers' own record, request by request.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use bellhop_model::{Attempt, DeliveryId, End, EndReason, Series};
use bellhop_tests::place::Place;
use bellhop_tests::receiver::Request;
use serde::Serialize;
use tokio_postgres::{Client, Row};

/// Path, event, attempt, status, signature.
type Made = (String, String, i16, Option<i32>, String);

/// Differences that are told one by one.
const TOLD_MAX: usize = 3;

/// What the log knows of the requests that were made.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LogBalance {
    /// Requests that the log tells of.
    pub(crate) told: usize,
    /// Requests that endpoints received and the log does not tell of.
    pub(crate) missing: usize,
    /// Most requests that a killed worker had under way, or had made and not confirmed to be in the log.
    pub(crate) in_flight: usize,
    /// Requests that the log tells of and no endpoint received.
    pub(crate) made_up: usize,
}

/// A row's tables.
pub(crate) struct Tables(Client);

impl Tables {
    /// Connects.
    pub(crate) async fn open(place: &Place) -> Result<Self> {
        Ok(Self(place.postgres().await?))
    }

    /// The deliveries that ended other than delivered.
    pub(crate) async fn ends(&self) -> Result<Vec<End>> {
        let select = "
            SELECT id, mode, organisation, webhook, event, series, attempt, reason, outcome,
                   (extract(epoch FROM since) * 1000000)::bigint
            FROM deliveries WHERE state IN ('exhausted', 'cancelled')";
        self.0.query(select, &[]).await?.iter().map(end).collect()
    }

    /// Holds the log against what was received.
    ///
    /// * `path_of`: the path of each webhook's endpoint.
    /// * `in_flight`: how many requests may be missing.
    /// * returns the balance, and what is wrong with it.
    pub(crate) async fn compare(
        &self,
        requests: &[Request],
        path_of: &BTreeMap<String, &'static str>,
        in_flight: usize,
    ) -> Result<(LogBalance, Vec<String>)> {
        let select = "
            SELECT attempts.webhook, event, attempts.attempt, attempts.status, signature
            FROM attempts JOIN deliveries ON deliveries.id = delivery";
        let made = |row: &Row| -> Result<Made> {
            let path = path_of.get(row.get::<_, &str>(0)).context("a request to an unknown webhook")?;
            Ok(((*path).to_owned(), row.get(1), row.get(2), row.get(3), row.get(4)))
        };
        let rows = self.0.query(select, &[]).await?;
        let told = rows.iter().map(made).collect::<Result<Vec<_>>>()?;
        let seen: Vec<Made> = requests.iter().map(received).collect();
        let (missing, made_up) = (less(&seen, &told), less(&told, &seen));
        let mut breaches = Vec::new();
        if in_flight < missing.len() {
            let some = &missing[..missing.len().min(TOLD_MAX)];
            breaches
                .push(format!("the log misses {} requests, {in_flight} in flight: {some:?}", missing.len()));
        }
        if !made_up.is_empty() {
            let some = &made_up[..made_up.len().min(TOLD_MAX)];
            breaches
                .push(format!("the log tells of {} requests that nobody received: {some:?}", made_up.len()));
        }
        let (missing, made_up) = (missing.len(), made_up.len());
        Ok((LogBalance { told: told.len(), missing, in_flight, made_up }, breaches))
    }
}

/// What is in `some` and not in `others`; signatures differ by second only, so that the same may be there more than once.
fn less(some: &[Made], others: &[Made]) -> Vec<Made> {
    let mut counts: BTreeMap<Made, usize> = BTreeMap::new();
    for other in others {
        *counts.entry(other.clone()).or_default() += 1;
    }
    let is_left = |one: &&Made| match counts.get_mut(*one) {
        Some(count) if 0 < *count => {
            *count -= 1;
            false
        }
        _ => true,
    };
    some.iter().filter(is_left).cloned().collect()
}

fn received(request: &Request) -> Made {
    let signature = request.header("webhook-signature").to_owned();
    let (path, event) = (request.path().to_owned(), request.webhook_id().to_owned());
    (path, event, i16::from(request.attempt()), request.status().map(i32::from), signature)
}

/// The end as the log's row tells it. Of the event only the id is needed, the rest lies sealed elsewhere.
fn end(row: &Row) -> Result<End> {
    let text = |column: usize| row.get::<_, &str>(column);
    let attempt: Option<i16> = row.get(6);
    let reason: Option<&str> = row.get(7);
    Ok(End {
        delivery: text(0).parse::<DeliveryId>()?,
        mode: text(1).parse()?,
        organisation: text(2).parse()?,
        webhook: text(3).parse()?,
        series: Series(u32::try_from(row.get::<_, i64>(5))?),
        attempt: attempt.map(|attempt| Attempt::try_from(i64::from(attempt))).transpose()?,
        reason: reason.and_then(EndReason::parse).context("an end without a reason")?,
        outcome: text(8).to_owned(),
        ended_at_us: row.get(9),
        event: serde_json::to_vec(&serde_json::json!({ "id": text(4) }))?,
    })
}

/// Those of some ends that are not known yet.
pub(crate) fn new_ends(ends: Vec<End>, known: &[End]) -> Vec<End> {
    let known: BTreeSet<&str> = known.iter().map(|end| end.delivery.as_str()).collect();
    ends.into_iter().filter(|end| !known.contains(end.delivery.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_more_often_on_one_side_is_left_over() {
        let made = |event: &str| ("/a".to_owned(), event.to_owned(), 1, Some(200), "v1,x".to_owned());
        let (once, twice) = ([made("one"), made("two")], [made("one"), made("one")]);
        assert_eq!(less(&once, &twice), [made("two")]);
        assert_eq!(less(&twice, &once), [made("one")]);
    }
}
