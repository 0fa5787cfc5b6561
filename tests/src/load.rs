//! A load on a site: many events for several webhooks, one of them flaky, and the account when all is over.

use anyhow::Result;

use crate::account::{Account, load};
use crate::context::{Context, Site};
use crate::receiver::{Answer, Gate, Receiver};
use crate::worker::Worker;

/// Two endpoints that take everything at once, and one that takes half of it at the second attempt and half at the
/// third, so that waits and claims are part of every load.
const ENDPOINTS: [&str; 3] = ["steady", "other", "flaky"];

/// So many events, each owed to every endpoint. They may be published in parts.
#[derive(Debug)]
pub struct Load {
    /// Where the requests go.
    pub receiver: Receiver,
    /// The answers of `steady` and `flaky` wait behind it; open at first.
    pub gate: Gate,
    /// Those of `other` wait behind this one; open at first.
    pub other_gate: Gate,
    events: usize,
}

impl Load {
    /// Registers the webhooks; nothing is published yet.
    ///
    /// # Errors
    /// When a webhook cannot be registered.
    pub async fn prepare(context: &Context, site: &Site, events: usize) -> Result<Self> {
        let receiver = context.receiver().await?;
        let (gate, other_gate) = (Gate::default(), Gate::default());
        gate.open();
        other_gate.open();
        for name in ENDPOINTS {
            let gate = if name == "other" { other_gate.clone() } else { gate.clone() };
            let endpoint = receiver.endpoint_by(name, move |request, _| {
                let is_even = request.webhook_id().ends_with(['0', '2', '4', '6', '8']);
                let taken_at = if is_even { 2 } else { 3 };
                let is_refused = request.path() == "/flaky" && request.attempt() < taken_at;
                Answer::status(if is_refused { 500 } else { 200 }).behind(&gate)
            });
            site.operator.add_webhook(&endpoint.url).await?;
        }
        Ok(Self { receiver, gate, other_gate, events })
    }

    /// Publishes all events.
    ///
    /// # Errors
    /// When the broker refuses one.
    pub async fn publish(&self, site: &Site) -> Result<()> {
        site.amqp().await?.publish_all(&load(self.events)).await
    }

    /// How many deliveries are owed.
    #[must_use]
    pub fn deliveries(&self) -> usize {
        self.events * ENDPOINTS.len()
    }

    /// Waits until some part of all deliveries has been taken.
    ///
    /// * `share`: of 1.
    ///
    /// # Errors
    /// When nothing happens any more before that.
    pub async fn await_share(&self, (numerator, denominator): (usize, usize)) -> Result<()> {
        self.receiver.await_taken(self.deliveries() * numerator / denominator).await
    }

    /// Waits until everything has been taken.
    ///
    /// # Errors
    /// When nothing happens any more before that.
    pub async fn await_end(&self) -> Result<()> {
        self.await_share((1, 1)).await
    }

    /// Stops the last worker, and insists that nothing is owed any more, nothing lost, and nothing repeated beyond faults.
    ///
    /// # Errors
    /// With the first delivery that was treated otherwise.
    pub async fn ensure_settled(&self, site: &Site, last: Worker, faults: usize) -> Result<()> {
        site.ensure_nothing_owed(last).await?;
        self.ensure_account(faults).map(drop)
    }

    /// Insists that nothing is lost, and that each delivery was repeated at most once per fault.
    ///
    /// # Errors
    /// With the first delivery that was treated otherwise.
    pub fn ensure_account(&self, faults: usize) -> Result<Account> {
        let account = Account::of(self.receiver.requests());
        account.ensure_nothing_lost(self.events, &ENDPOINTS)?;
        account.ensure_bounded(faults)?;
        Ok(account)
    }
}
