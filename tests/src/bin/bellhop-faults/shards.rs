//! Who shares a shard with a burst: nobody can say but the broker, which hashes.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use bellhop_tests::amqp::{Amqp, Message};
use bellhop_tests::place::Place;
use bellhop_tests::queues;

use crate::plan::{FleetName, Part, Plan, Stream};
use crate::webhook::Webhook;

/// Takes those of the healthy that share a shard with a burst into a stream of their own, each at the pace it had.
///
/// The broker is asked by an event of each organisation, before anybody takes events.
pub(crate) async fn tell_apart(plan: Plan, place: &Place) -> Result<Plan> {
    let shards = plan.shards();
    let is_burst = |stream: &&Stream| stream.part == Part::Burst && stream.fleet == FleetName::Measured;
    let burst = plan.streams.iter().find(is_burst);
    let (Some(burst), true) = (burst.map(|stream| stream.webhooks[0]), 1 < shards) else {
        return Ok(plan);
    };
    let shard_of = ask(&plan, shards, place).await?;
    let is_beside = |webhook: &usize| shard_of.get(webhook) == shard_of.get(&burst);
    let streams = plan.streams.into_iter().flat_map(|stream| match stream.part {
        Part::Healthy => divide(&stream, is_beside),
        Part::Beside | Part::Burst | Part::Dead | Part::Recovered => vec![stream],
    });
    Ok(Plan { streams: streams.collect(), ..plan })
}

/// The shard of each webhook's organisation.
async fn ask(plan: &Plan, shards: u16, place: &Place) -> Result<BTreeMap<usize, u16>> {
    let amqp = Amqp::connect(&place.amqp_url()).await?;
    let name = |webhook: usize| format!("asked-{webhook}");
    let asked = plan.streams.iter().flat_map(|stream| stream.webhooks.iter().copied());
    let messages: Vec<Message> =
        asked.map(|webhook| Message::of(&Webhook::organisation(webhook), &name(webhook))).collect();
    amqp.publish_all(&messages).await?;
    let mut shard_of = BTreeMap::new();
    for shard in 0..shards {
        for received in amqp.drain(&queues::events("test", shard)).await? {
            let id =
                received.properties.message_id().as_ref().context("a message without its id")?.to_string();
            let webhook = id.strip_prefix("asked-").and_then(|number| number.parse().ok());
            shard_of.insert(webhook.with_context(|| format!("a message `{id}`"))?, shard);
        }
    }
    Ok(shard_of)
}

/// Divides a stream in two; without one of the two when nobody is in it.
fn divide(stream: &Stream, is_beside: impl Fn(&usize) -> bool) -> Vec<Stream> {
    let all = stream.webhooks.len();
    let share = |webhooks: Vec<usize>, part| Stream {
        events: stream.events * webhooks.len() / all,
        per_second: stream.per_second.map(|per_second| (per_second * webhooks.len() / all).max(1)),
        after: stream.after,
        webhooks,
        part,
        fleet: stream.fleet,
    };
    let (beside, others): (Vec<usize>, Vec<usize>) = stream.webhooks.iter().copied().partition(is_beside);
    let parts = [(others, Part::Healthy), (beside, Part::Beside)];
    parts
        .into_iter()
        .filter(|(webhooks, _)| !webhooks.is_empty())
        .map(|(them, part)| share(them, part))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn those_on_the_shard_of_the_burst_are_apart_and_everybody_keeps_the_pace() {
        let stream = Stream {
            webhooks: (0..50).collect(),
            events: 18_000,
            per_second: Some(300),
            after: Duration::ZERO,
            part: Part::Healthy,
            fleet: FleetName::Measured,
        };
        let divided = divide(&stream, |webhook| webhook % 10 == 0);
        let told: Vec<_> =
            divided.iter().map(|it| (it.part, it.webhooks.len(), it.events, it.per_second)).collect();
        assert_eq!(told, [(Part::Healthy, 45, 16_200, Some(270)), (Part::Beside, 5, 1_800, Some(30))]);
    }
}
