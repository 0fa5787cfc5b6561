//! How a recovery is shown.

use bellhop_model::EventType;
use bellhop_store::{Recovery, RecoveryCount};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::moment;
use crate::recovering::seconds_at;

/// Deliveries of one webhook that are made again, one after the other.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Recovery)]
pub(super) struct ShownRecovery {
    /// What it is called.
    #[schema(example = "rec_019ab3c47d2e7f00a1b2c3d4e5f60718")]
    id: String,
    /// The webhook.
    webhook: String,
    /// Deliveries that stood in one of these states.
    states: Vec<&'static str>,
    /// Of events of this type; null for any.
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// That began then or later.
    #[schema(format = DateTime)]
    since: String,
    /// And earlier than this.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// How many a second at most.
    pace: u32,
    /// `running`, `done`, `cancelled`, or `failed` when it could not go on.
    state: &'static str,
    /// Whether it waits for room among what is under way.
    waiting: bool,
    /// Why it failed: `webhook_disabled` or `webhook_removed`; null otherwise.
    failed_for: Option<&'static str>,
    /// Who stopped it: the id of a key, or a name.
    cancelled_by: Option<String>,
    /// How many deliveries there were when it began.
    found: u64,
    /// How many are on their way again, or were by now.
    done: u64,
    /// How many were passed over because their payload is no longer on record.
    payload_gone: u64,
    /// How many were passed over because they stood elsewhere when their turn came.
    moved_on: u64,
    /// Who asked for it: the id of a key, or a name.
    created_by: String,
    /// When.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it ended; null while it runs.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

/// A page of recoveries.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecoveryPage {
    /// The newest first.
    data: Vec<ShownRecovery>,
    /// The `cursor` of the next page; null on the last.
    next: Option<String>,
}

/// What a recovery would deliver again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RecoveryCount)]
pub(super) struct ShownCount {
    /// How many deliveries are as asked for.
    found: u64,
    /// How many of them are exhausted.
    exhausted: u64,
    /// How many are cancelled.
    cancelled: u64,
    /// How many are delivered.
    delivered: u64,
    /// How many would be passed over because their payload is no longer on record.
    payload_gone: u64,
    /// How long the others would take at the pace asked for.
    seconds: u64,
}

impl ShownRecovery {
    pub(super) fn of(recovery: &Recovery) -> Self {
        let filter = &recovery.filter;
        Self {
            id: recovery.id.to_string(),
            webhook: filter.webhook.to_string(),
            states: filter.states.iter().map(|state| state.as_str()).collect(),
            event_type: filter.event_type.as_ref().map(EventType::to_string),
            since: moment(filter.since),
            until: filter.until.map(moment),
            pace: recovery.pace,
            state: recovery.state.as_str(),
            waiting: recovery.waits_for.is_some(),
            failed_for: recovery.failed_for.map(|reason| reason.as_str()),
            cancelled_by: recovery.cancelled_by.as_ref().map(ToString::to_string),
            found: recovery.found,
            done: recovery.done,
            payload_gone: recovery.payload_gone,
            moved_on: recovery.moved_on,
            created_by: recovery.created_by.to_string(),
            created_at: moment(recovery.created_at),
            ended_at: recovery.ended_at.map(moment),
        }
    }
}

impl RecoveryPage {
    pub(super) fn of(recoveries: &[Recovery], next: Option<String>) -> Self {
        Self { data: recoveries.iter().map(ShownRecovery::of).collect(), next }
    }
}

impl ShownCount {
    /// * `pace`: deliveries a second, at least one.
    pub(super) fn of(count: &RecoveryCount, pace: u32) -> Self {
        let RecoveryCount { exhausted, cancelled, delivered, payload_gone } = *count;
        Self {
            found: count.found(),
            exhausted,
            cancelled,
            delivered,
            payload_gone,
            seconds: seconds_at(pace, count),
        }
    }
}
