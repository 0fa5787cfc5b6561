//! The listener: hears of changes as soon as they are published.

use futures_util::StreamExt as _;
use redis::Msg;
use redis::aio::PubSubSink;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::cached::parse_news;
use crate::limits::{LISTENER_PING_INTERVAL, LISTENER_TIMEOUT, RECONNECT_WAITS};
use crate::{Inner, StoreError, random};

/// Listens for ever, connecting again whenever the connection is lost.
pub(super) async fn run(inner: &Inner) {
    let (wait_min, wait_max) = RECONNECT_WAITS;
    let mut wait = wait_min;
    let mut is_first_failure = true;
    loop {
        let connected_at = Instant::now();
        let error = listen(inner, &mut is_first_failure).await;
        if is_first_failure {
            tracing::warn!(%error, "no longer hearing of changes from Redis; PostgreSQL is asked every 2 s");
            is_first_failure = false;
        }
        if LISTENER_PING_INTERVAL <= connected_at.elapsed() {
            wait = wait_min;
        }
        sleep(random::between(wait / 2, wait)).await;
        wait = (wait * 2).min(wait_max);
    }
}

/// Subscribes and listens until the connection fails.
async fn listen(inner: &Inner, is_first_failure: &mut bool) -> StoreError {
    let redis = inner.cached.redis();
    let (mut sink, mut messages) = match redis.listen().await {
        Ok(connection) => connection.split(),
        Err(error) => return error,
    };
    let silent = || redis.away(format!("no answer within {LISTENER_TIMEOUT:?}"));
    match timeout(LISTENER_TIMEOUT, sink.subscribe(inner.cached.channel())).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return redis.judge(&error),
        Err(_) => return silent(),
    }
    // Whatever was published before this moment was missed.
    inner.memory.expire_all();
    inner.counters.subscribed.rise();
    if !*is_first_failure {
        tracing::info!("hearing of changes from Redis again");
        *is_first_failure = true;
    }
    let mut ping = interval_at(Instant::now() + LISTENER_PING_INTERVAL, LISTENER_PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(message) => hear(inner, &message).await,
                None => return redis.away("the connection was closed".to_owned()),
            },
            _ = ping.tick() => if !is_alive(&mut sink).await { return silent() },
        }
    }
}

async fn hear(inner: &Inner, message: &Msg) {
    let news = message.get_payload::<String>().ok();
    let Some((scope, version)) = news.as_deref().and_then(parse_news) else {
        // Not our format, so perhaps a newer one: whatever it says, reading everything again is right.
        inner.memory.expire_all();
        return;
    };
    inner.counters.changes_heard.rise();
    inner.memory.raise(&scope, version).await;
}

/// A connection that a firewall forgot is silent, as is one on which nothing happens.
async fn is_alive(sink: &mut PubSubSink) -> bool {
    matches!(timeout(LISTENER_TIMEOUT, sink.ping::<redis::Value>()).await, Ok(Ok(_)))
}
