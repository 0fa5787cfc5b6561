//! The active webhooks of one organisation, as a worker uses them.

use std::sync::Arc;

use bellhop_model::{EventType, Signer, Subscription, WebhookId};

/// What one cached subscription takes beside its texts, in bytes: the keyed states of its signer and the structures.
const SUBSCRIPTION_BYTES: usize = 1024;

/// The active webhooks of one organisation in one mode, at one version. None at all is a value, too.
#[derive(Debug)]
pub struct Subscriptions {
    /// Rises with every write to the organisation's webhooks; 0 when there never was one.
    pub version: i64,
    /// Ordered by id, which is the order of registration.
    pub all: Vec<Arc<ActiveSubscription>>,
}

/// A subscription that is ready to sign.
#[derive(Debug)]
pub struct ActiveSubscription {
    /// What a request needs.
    pub subscription: Subscription,
    /// Signs with the subscription's secrets.
    pub signer: Signer,
}

impl Subscriptions {
    /// Prepares what was read.
    ///
    /// * `version`: of the truth it was read from.
    #[must_use]
    pub fn new(version: i64, all: Vec<Subscription>) -> Self {
        let prepare = |subscription: Subscription| {
            let signer = Signer::new(&subscription.secrets);
            Arc::new(ActiveSubscription { subscription, signer })
        };
        Self { version, all: all.into_iter().map(prepare).collect() }
    }

    /// The subscription of a webhook; `None` when it is disabled or gone.
    #[must_use]
    pub fn find(&self, webhook: &WebhookId) -> Option<&Arc<ActiveSubscription>> {
        self.all.iter().find(|active| active.subscription.webhook == *webhook)
    }

    /// The subscriptions that want events of a type.
    pub fn wanting<'a>(
        &'a self,
        event_type: &'a EventType,
    ) -> impl Iterator<Item = &'a Arc<ActiveSubscription>> {
        self.all.iter().filter(|active| active.subscription.wants(event_type))
    }

    /// Roughly what this takes in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let texts = |Subscription { url, event_types, .. }: &Subscription| {
            url.expose().len()
                + event_types.iter().map(|event_type| event_type.as_str().len() + 64).sum::<usize>()
        };
        self.all.iter().map(|active| SUBSCRIPTION_BYTES + texts(&active.subscription)).sum()
    }
}
