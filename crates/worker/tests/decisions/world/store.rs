//! The store: the truth about webhooks with its history, the views that workers have of it, and the claims.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bellhop_model::{
    CopyToken, EndpointUrl, EventType, Mode, OrganisationId, PayloadLevel, Secret, Subscription, WebhookId,
};
use bellhop_store::{Claim, ClaimedAttempt, Subscriptions};

use super::outages::Window;

/// Whose webhooks.
pub(crate) type Scope = (Mode, OrganisationId);

/// A webhook and what it was over time.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) id: WebhookId,
    pub(crate) scope: Scope,
    pub(crate) types: BTreeSet<EventType>,
    /// The name of its host.
    pub(crate) host: String,
    /// When each of its revisions was in force. A change begins another one; disabling ends the last.
    pub(crate) revisions: Vec<Window>,
}

/// Truth, views and claims.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) webhooks: Vec<Webhook>,
    /// What was true since when, oldest first.
    truth: BTreeMap<Scope, Vec<(Duration, Arc<Subscriptions>)>>,
    /// Up to which version each worker has seen; no view goes back.
    seen: BTreeMap<(usize, Scope), usize>,
    /// By attempt, whose it is and whether what came of it is stored.
    claims: BTreeMap<String, (CopyToken, bool)>,
}

impl Webhook {
    pub(crate) fn is_in_force(&self) -> bool {
        self.revisions.last().is_some_and(|revision| revision.end == Duration::MAX)
    }

    /// Whether the revision was in force at some moment of the window.
    pub(crate) fn was_in_force(&self, revision: usize, window: &Window) -> bool {
        let Window { start, end } = &self.revisions[revision];
        *start <= window.end && window.start <= *end
    }

    /// Whether the webhook, whatever its revision, was in force all the time.
    pub(crate) fn was_always_in_force(&self, window: &Window) -> bool {
        let is_unbroken = self.revisions.windows(2).all(|pair| pair[0].end == pair[1].start);
        let (Some(first), Some(last)) = (self.revisions.first(), self.revisions.last()) else { return false };
        is_unbroken && first.start <= window.start && window.end <= last.end
    }

    fn subscription(&self, index: usize) -> Subscription {
        let revision = self.revisions.len() - 1;
        Subscription {
            webhook: self.id.clone(),
            url: EndpointUrl::parse(&url(&self.host, index, revision), self.scope.0)
                .expect("an endpoint's URL"),
            event_types: self.types.clone(),
            payload: PayloadLevel::default(),
            secrets: vec![Secret::from_random(&[1; 32]).into()],
        }
    }
}

impl Store {
    /// Registers a webhook at a host of its own; returns its index, by which the tests know it.
    pub(crate) fn register(&mut self, scope: &Scope, types: &[&str], now: Duration) -> usize {
        let host = format!("w{}", self.webhooks.len());
        self.register_at(&host, scope, types, now)
    }

    /// Registers a webhook at a host that it may share with others.
    pub(crate) fn register_at(&mut self, host: &str, scope: &Scope, types: &[&str], now: Duration) -> usize {
        let index = self.webhooks.len();
        let id = WebhookId::from_uuid(&[u8::try_from(index).expect("a few webhooks"); 16]);
        let types = types.iter().map(|name| name.parse().expect("an event type")).collect();
        let (scope, host, revisions) = (scope.clone(), host.to_owned(), Vec::new());
        self.webhooks.push(Webhook { id, scope, types, host, revisions });
        self.enable(index, now);
        index
    }

    /// Puts a new revision in force: after a change, or after being disabled.
    pub(crate) fn enable(&mut self, webhook: usize, now: Duration) {
        self.end_revision(webhook, now);
        self.webhooks[webhook].revisions.push(now..Duration::MAX);
        self.write_truth(webhook, now);
    }

    /// Disables a webhook; removing it looks the same to a worker.
    pub(crate) fn disable(&mut self, webhook: usize, now: Duration) {
        self.end_revision(webhook, now);
        self.write_truth(webhook, now);
    }

    pub(crate) fn index(&self, id: &WebhookId) -> usize {
        self.webhooks.iter().position(|webhook| webhook.id == *id).expect("a webhook that is registered")
    }

    /// The webhooks of a scope that want a type of event, whatever their status.
    pub(crate) fn wanting(&self, scope: &Scope, event_type: &EventType) -> BTreeSet<usize> {
        let wants = |webhook: &Webhook| webhook.scope == *scope && webhook.types.contains(event_type);
        self.webhooks
            .iter()
            .enumerate()
            .filter(|(_, webhook)| wants(webhook))
            .map(|(index, _)| index)
            .collect()
    }

    /// What a worker is told: some version that was the truth since `oldest`, never one older than it was told before.
    ///
    /// * `choose`: picks among the versions, given how many there are; the last is the truth.
    pub(crate) fn view(
        &mut self,
        worker: usize,
        scope: &Scope,
        oldest: Duration,
        choose: impl FnOnce(usize) -> usize,
    ) -> Arc<Subscriptions> {
        let Some(versions) = self.truth.get(scope) else {
            return Arc::new(Subscriptions::new(0, Vec::new()));
        };
        let seen = self.seen.entry((worker, scope.clone())).or_default();
        let then = versions.iter().rposition(|(since, _)| *since <= oldest).unwrap_or(0);
        let first = then.max(*seen);
        *seen = first + choose(versions.len() - first);
        Arc::clone(&versions[*seen].1)
    }

    /// Forgets what a worker had in memory.
    pub(crate) fn forget(&mut self, worker: usize) {
        self.seen.retain(|(other, _), _| *other != worker);
    }

    /// Claims an attempt, unless somebody has.
    pub(crate) fn claim(&mut self, attempt: &ClaimedAttempt<'_>, copy: &CopyToken) -> Claim {
        match self.claims.get(&claim_key(attempt)) {
            Some((owner, true)) if owner == copy => Claim::Concluded,
            Some((owner, false)) if owner == copy => Claim::OwnedBySameCopy,
            Some(_) => Claim::OwnedByAnother,
            None => {
                self.claims.insert(claim_key(attempt), (copy.clone(), false));
                Claim::Granted
            }
        }
    }

    /// Notes that what came of an attempt is stored, whoever claimed it.
    pub(crate) fn conclude(&mut self, attempt: &ClaimedAttempt<'_>, copy: &CopyToken) {
        self.claims.insert(claim_key(attempt), (copy.clone(), true));
    }

    /// What Redis loses when it is restarted without its disk.
    pub(crate) fn flush_claims(&mut self) {
        self.claims.clear();
    }

    fn end_revision(&mut self, webhook: usize, now: Duration) {
        if let Some(last) = self.webhooks[webhook].revisions.last_mut() {
            last.end = last.end.min(now);
        }
    }

    fn write_truth(&mut self, webhook: usize, now: Duration) {
        let scope = self.webhooks[webhook].scope.clone();
        let active = self.webhooks.iter().enumerate();
        let active = active.filter(|(_, webhook)| webhook.scope == scope && webhook.is_in_force());
        let active = active.map(|(index, webhook)| webhook.subscription(index)).collect();
        let versions = self.truth.entry(scope).or_default();
        let version = i64::try_from(versions.len()).expect("a few versions") + 1;
        versions.push((now, Arc::new(Subscriptions::new(version, active))));
    }
}

fn claim_key(ClaimedAttempt { mode, delivery, series, attempt }: &ClaimedAttempt<'_>) -> String {
    format!("{mode}:{delivery}:{series}:{attempt}")
}

/// The URL of a webhook's revision, which tells both.
fn url(host: &str, webhook: usize, revision: usize) -> String {
    format!("https://{host}.example/w{webhook}-r{revision}")
}

/// Reads webhook and revision back from a URL that is called.
pub(crate) fn called(url: &str) -> (usize, usize) {
    let numbers = url.split_once(".example/w").and_then(|(_, rest)| {
        let (webhook, revision) = rest.split_once("-r")?;
        Some((webhook.parse().ok()?, revision.parse().ok()?))
    });
    numbers.unwrap_or_else(|| panic!("no endpoint of this world is called: {url}"))
}
