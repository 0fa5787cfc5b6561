//! RabbitMQ restarts, takes nothing, closes what was open, or breaks off anywhere.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{End, EndState};
use hyper::Method;

use crate::account::ends;
use crate::amqp::{Amqp, Message};
use crate::appointment::APPOINTMENT;
use crate::context::Context;
use crate::load::Load;
use crate::operator::Registration;
use crate::patience::eventually;
use crate::queues;
use crate::receiver::Answer;
use crate::relay::Relay;
use crate::stack::Service;
use crate::worker::Worker;

const EVENTS: usize = 200;

/// How many events, and how many deliveries of the slow and of the due lane each, a worker has in hand at most.
const IN_HAND_MAX: usize = 20;

/// [`IN_HAND_MAX`] as settings; and more patience with Redis than a busy machine needs, so that claims always work.
const SETTINGS: [(&str, &str); 4] = [
    ("BELLHOP_WORKER_FRESH_IN_FLIGHT_MAX", "20"),
    ("BELLHOP_WORKER_SLOW_IN_FLIGHT_MAX", "20"),
    ("BELLHOP_WORKER_DUE_IN_FLIGHT_MAX", "20"),
    ("BELLHOP_REDIS_TIMEOUT", "5s"),
];

/// What one fault of the broker may forget of one delivery: the acknowledgement of the event, and that of a waiting
/// copy.
const FORGOTTEN_MAX: usize = 2;

/// A connection is given up after twice this many seconds of silence.
const HEARTBEAT: &str = "heartbeat=2";

/// It stops in order and starts again with what it had.
pub async fn a_broker_restarted_under_load_loses_nothing(context: Context) -> Result<()> {
    let broker = context.private_stack(&[Service::Rabbitmq]).await?;
    let site = context.site_on_with(&broker, &SETTINGS).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let worker = site.worker().await?;

    load.publish(&site).await?;
    load.await_share((1, 3)).await?;
    broker.restart(Service::Rabbitmq).await?;

    load.await_end().await?;
    worker.await_ready().await?;
    load.ensure_settled(&site, worker, FORGOTTEN_MAX).await
}

/// What makes a broker block publishers, and what ends it.
const ALARMS: [([&str; 2], [&str; 2]); 2] = [
    (["set_vm_memory_high_watermark", "0.00001"], ["set_vm_memory_high_watermark", "0.6"]),
    (["set_disk_free_limit", "1000000000000000"], ["set_disk_free_limit", "50MB"]),
];

/// The worker loses patience with the broker, and has deliveries in hand that wait for a place at their webhook.
const BLOCKED_SETTINGS: [(&str, &str); 2] =
    [("BELLHOP_WORKER_PUBLISH_TIMEOUT", "1s"), ("BELLHOP_WORKER_WEBHOOK_IN_FLIGHT_MAX", "2")];

/// Memory, then disk: nobody is sent what could not be recorded, and everything goes on when it is over.
pub async fn no_attempt_is_started_while_the_broker_blocks(context: Context) -> Result<()> {
    let broker = context.private_stack(&[Service::Rabbitmq]).await?;
    let few_places = [&BLOCKED_SETTINGS[..], &SETTINGS[..]].concat();
    let site = context.site_on_with(&broker, &few_places).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let worker = site.worker().await?;

    load.publish(&site).await?;
    for (number, (raise, clear)) in ALARMS.iter().enumerate() {
        load.await_share((number + 1, 4)).await?;
        let earlier = worker.logs().lines().len();
        load.gate.shut();
        load.other_gate.shut();
        broker.ctl(raise).await?;
        // A broker tells only who publishes: what came of the requests that are answered now.
        load.gate.open();
        worker.logs().await_line_after(earlier, "the broker blocks publishers").await?;
        ensure_still(&load, &worker).await?;
        broker.ctl(clear).await?;
        worker.logs().await_line_after(earlier, "the broker takes publishes again").await?;
    }

    load.await_end().await?;
    load.ensure_settled(&site, worker, 0).await
}

/// How often a worker is asked for its metrics, so that its other tasks get their turns, too.
const LOOKS: usize = 50;

/// Insists that nothing is begun once the worker knows, not even where a place becomes free.
async fn ensure_still(load: &Load, worker: &Worker) -> Result<()> {
    let requests = eventually("requests to be answered, but for those at the gate", || async {
        let accounted_for = attempts(worker).await? + load.other_gate.waiting();
        Ok((accounted_for == load.receiver.requests().len()).then_some(accounted_for))
    })
    .await?;
    // Whoever waits for one of their places gets it.
    load.other_gate.open();
    eventually("those at the gate to be answered", || async {
        Ok((requests <= attempts(worker).await?).then_some(()))
    })
    .await?;
    for _ in 0..LOOKS {
        worker.metrics().await?;
    }
    let later = load.receiver.requests().len();
    ensure!(later == requests, "{} attempts were begun while the broker blocks", later - requests);
    Ok(())
}

/// How many attempts have come to their end.
async fn attempts(worker: &Worker) -> Result<usize> {
    let metrics = worker.metrics().await?;
    let counts = metrics.lines().filter(|line| line.starts_with("bellhop_attempts_total{"));
    Ok(counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum())
}

/// Connections, then the processes behind channels, which the broker's own faults would end.
pub async fn what_the_broker_closes_under_load_is_opened_again(context: Context) -> Result<()> {
    let broker = context.private_stack(&[Service::Rabbitmq]).await?;
    let site = context.site_on_with(&broker, &SETTINGS).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let worker = site.worker().await?;
    let closings: [&[&str]; 4] = [
        &["close_all_connections", "closed by a test"],
        &["eval", "[exit(Channel, kill) || Channel <- rabbit_channel:list()]."],
        &["close_all_connections", "closed by a test"],
        &["eval", "[exit(Channel, shutdown) || Channel <- rabbit_channel:list()]."],
    ];

    load.publish(&site).await?;
    for (number, closing) in closings.iter().enumerate() {
        load.await_share((number + 1, closings.len() + 2)).await?;
        broker.ctl(closing).await?;
    }

    load.await_end().await?;
    worker.await_ready().await?;
    load.ensure_settled(&site, worker, closings.len() * FORGOTTEN_MAX).await
}

/// How many connections are cut off.
const CUTS: usize = 32;

/// Cut off in the middle of handshakes, of events, of results, of acknowledgements.
pub async fn connections_cut_off_anywhere_lose_nothing(context: Context) -> Result<()> {
    let seed: u64 = rand::random();
    let site = context.site_with(&SETTINGS).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let (relay, amqp_url) = Relay::before(&site.place.amqp_url()).await?;
    let trying = async {
        load.publish(&site).await?;
        relay.cut(seed, CUTS);
        let worker = site.worker_with("BELLHOP_AMQP_URL", &amqp_url).await?;
        load.await_end().await?;
        worker.await_ready().await?;
        site.ensure_nothing_owed(worker).await?;
        let cuts = relay.cut_off();
        ensure!(CUTS / 2 <= cuts, "only {cuts} connections were cut off");
        let account = load.ensure_account(cuts)?;
        let repeats_max = 2 * IN_HAND_MAX * 3 * cuts;
        ensure!(account.repeats() <= repeats_max, "{} requests were repeated", account.repeats());
        Ok(())
    };
    trying.await.with_context(|| format!("SEED={seed}"))
}

/// Something between us and the broker forgets both connections and tells nobody.
pub async fn a_connection_that_falls_silent_is_given_up(context: Context) -> Result<()> {
    let site = context.site_with(&SETTINGS).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let (relay, amqp_url) = Relay::before(&format!("{}?{HEARTBEAT}", site.place.amqp_url())).await?;
    let worker = site.worker_with("BELLHOP_AMQP_URL", &amqp_url).await?;

    load.publish(&site).await?;
    load.await_share((1, 3)).await?;
    relay.silence();
    for link in ["consuming", "publishing"] {
        let sessions = format!(r#"bellhop_broker_events_total{{event="session",link="{link}"}}"#);
        worker.await_figure(&sessions, 2).await?;
    }

    load.await_end().await?;
    worker.await_ready().await?;
    load.ensure_settled(&site, worker, FORGOTTEN_MAX).await
}

/// The broker cancels a consumer whose queue goes away; once the queue is there again, it is consumed again.
pub async fn a_queue_deleted_and_declared_again_is_consumed_again(context: Context) -> Result<()> {
    let site = context.site_with(&SETTINGS).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let worker = site.worker().await?;
    let amqp = site.amqp().await?;
    let queues = ["bellhop.test.events.0", "bellhop.test.due"];

    for queue in queues {
        amqp.await_consumers(queue, 1).await?;
        let path = format!("queues/{}/{queue}", site.place.virtual_host());
        site.place.manage(Method::DELETE, &path, "").await?;
    }
    site.operator.prepare().await?;
    for queue in queues {
        amqp.await_consumers(queue, 1).await?;
    }

    load.publish(&site).await?;
    load.await_end().await?;
    load.ensure_settled(&site, worker, 0).await
}

/// How many events end without success while the log has no exchange.
const HOPELESS: usize = 20;

/// Each try to publish to an exchange that is not there costs a channel, with whatever else is under way on it.
pub async fn an_exchange_that_is_missing_is_waited_for(context: Context) -> Result<()> {
    let site = context.site_with(&SETTINGS).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let hopeless = load.receiver.endpoint("hopeless", Answer::status(500));
    site.operator
        .register(&Registration {
            event_types: &["appointment.completed"],
            ..Registration::test(&hopeless.url)
        })
        .await?;
    let worker = site.worker().await?;
    worker.logs().await_line("the topology is declared").await?;
    let path = format!("exchanges/{}/{}", site.place.virtual_host(), queues::LOG);
    site.place.manage(Method::DELETE, &path, "").await?;

    let doomed = (0..HOPELESS).map(|number| {
        Message::event("test", "appointment.completed", &format!("doomed-{number}"), APPOINTMENT)
    });
    site.amqp().await?.publish_all(&doomed.collect::<Vec<_>>()).await?;
    load.publish(&site).await?;
    worker.logs().await_line("the exchange does not exist").await?;
    site.operator.prepare().await?;

    load.await_end().await?;
    let ends = await_said(&site.amqp().await?, HOPELESS).await?;
    ensure!(ends.iter().all(|end| end.reason.state() == EndState::Exhausted), "{ends:?}");
    load.ensure_settled(&site, worker, 0).await
}

/// Waits for ends in the log. What came when the exchange was there and its queue not yet bound waits on the longest
/// rung, and is hastened.
async fn await_said(amqp: &Amqp, count: usize) -> Result<Vec<End>> {
    let said = Mutex::new(Vec::new());
    let look = || async {
        for waiting in amqp.drain(queues::LONGEST_RUNG).await? {
            amqp.publish(&waiting.into_due("test")).await?;
        }
        let more = ends(&amqp.drain(queues::LOG).await?)?;
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(more);
        Ok((count <= said.len()).then(|| std::mem::take(&mut *said)))
    };
    eventually(format!("{count} ends in the log"), look).await
}
