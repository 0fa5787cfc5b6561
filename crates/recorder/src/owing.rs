//! Publishing the first attempts of series that are owed, and noting which of them the broker has.

use std::time::Duration;

use bellhop_broker::{Outgoing, PublishError, Publisher, names};
use bellhop_model::{Attempt, CopyToken};
use bellhop_store::{OwedSeries, Store, StoreError};
use bytes::Bytes;
use futures_util::future::join_all;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};

use crate::metrics::RecorderMetrics;

/// Publishes what is owed. One serves all.
pub(crate) struct Owing {
    pub(crate) store: Store,
    pub(crate) publisher: Publisher,
    pub(crate) publish_timeout: Duration,
    pub(crate) metrics: RecorderMetrics,
}

/// Why some of a page is not published yet. All of it stays owed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Hindrance {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0} (exchange `{1}`)")]
    Broker(#[source] PublishError, String),
}

impl Owing {
    /// Publishes a page of series, one after the other over some time: workers that were handed all of it at once would be
    /// busy with it for a while, and whatever is fresh would wait for them.
    ///
    /// Whoever is killed between a confirm and its note publishes once more. The two messages are told apart by their
    /// copies, of which workers let one through.
    ///
    /// * `time`: from the first to the last; zero publishes all at once.
    ///
    /// # Errors
    /// [`Hindrance`]; what the broker took by then is noted.
    pub(crate) async fn publish(&self, owed: Vec<OwedSeries>, time: Duration) -> Result<(), Hindrance> {
        let payloads = self.store.owed_payloads(&owed).await?;
        let (mut ready, mut gone) = (Vec::with_capacity(owed.len()), Vec::new());
        for (owed, payload) in owed.into_iter().zip(payloads) {
            match payload {
                Some(payload) => ready.push((first_attempt(&owed, payload), owed)),
                None => gone.push(owed),
            }
        }
        if !gone.is_empty() {
            self.store.withdraw_series(&gone).await?;
            self.metrics.series("withdrawn", gone.len());
        }
        let publishing = evenly(ready, time, |(message, owed): (Outgoing, OwedSeries)| async move {
            let exchange = message.exchange.clone();
            let result = self.publisher.publish(message, self.publish_timeout).await;
            result.map_err(|error| Hindrance::Broker(error, exchange)).map(|()| owed)
        });
        let (mut published, mut hindrance) = (Vec::new(), None);
        for result in publishing.await {
            match result {
                Ok(owed) => published.push(owed),
                Err(error) => hindrance = hindrance.or(Some(error)),
            }
        }
        if !published.is_empty() {
            self.store.note_series_published(&published).await?;
            self.metrics.series("published", published.len());
        }
        hindrance.map_or(Ok(()), Err)
    }
}

/// Begins something with each item in turn, after equal pauses; the last does not wait for what the first has begun.
///
/// * `time`: how long the pauses are together, one after the last item among them.
/// * returns what came of each, in the order of the items.
async fn evenly<T, F: Future>(items: Vec<T>, time: Duration, begin: impl Fn(T) -> F) -> Vec<F::Output> {
    let step = time / u32::try_from(items.len().max(1)).unwrap_or(u32::MAX);
    let (began, numbers, begin) = (Instant::now(), 0_u32.., &begin);
    let all = numbers.zip(items).map(|(number, item)| async move {
        sleep_until(began + step * number).await;
        begin(item).await
    });
    join_all(all).await
}

/// The message that owes a webhook the first attempt of a series.
fn first_attempt(owed: &OwedSeries, payload: Vec<u8>) -> Outgoing {
    let now = OffsetDateTime::now_utc();
    let token = || CopyToken::from_random(&rand::random()).as_str().to_owned();
    Outgoing {
        exchange: names::mode_exchange(owed.mode),
        routing_key: names::DUE_KEY.to_owned(),
        message_id: token(),
        message_type: Some(owed.event_type.to_string()),
        timestamp: u64::try_from(now.unix_timestamp()).unwrap_or(0),
        time_to_live: None,
        headers: vec![
            (names::WEBHOOK_HEADER, owed.webhook.to_string()),
            (names::SERIES_HEADER, owed.series.to_string()),
            (names::ATTEMPT_HEADER, Attempt::FIRST.to_string()),
            (names::COPY_HEADER, token()),
            // A delivery's greatest age is counted from here: an event of last week is not late from the start.
            (names::ACCEPTED_AT_HEADER, (now.unix_timestamp_nanos() / 1_000_000).to_string()),
            (names::ORGANISATION_HEADER, owed.organisation.to_string()),
        ],
        body: Bytes::from(payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_begun_evenly_begins_after_equal_pauses_however_long_each_takes() {
        let began = Instant::now();
        let begun = evenly(vec![0, 1, 2, 3], Duration::from_secs(1), |number: u32| async move {
            let after = began.elapsed();
            sleep_until(began + Duration::from_secs(5)).await;
            (number, after.as_millis())
        });
        assert_eq!(begun.await, [(0, 0), (1, 250), (2, 500), (3, 750)]);
        assert_eq!(began.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn in_no_time_all_begin_at_once() {
        let began = Instant::now();
        let begun = evenly(vec![(); 3], Duration::ZERO, |()| async move { began.elapsed() });
        assert_eq!(begun.await, [Duration::ZERO; 3]);
        assert!(evenly(Vec::<()>::new(), Duration::from_secs(1), |()| async {}).await.is_empty());
    }
}
