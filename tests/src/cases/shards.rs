//! Events spread over several queues by their organisation, and how many queues there are changed while events come.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use bellhop_producer::{Mode, NewEvent, ProducerOptions};
use hyper::Method;
use lapin::types::FieldTable;
use time::OffsetDateTime;

use crate::account::{Account, ensure_no_ends, load_id};
use crate::amqp::{Amqp, Message, Received};
use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED};
use crate::cases::cluster::{Load, connect};
use crate::cases::doctor::{examine_as, problems};
use crate::context::{Context, Site};
use crate::patience::eventually;
use crate::program::{Finished, Program};
use crate::queues;
use crate::receiver::{Answer, Gate, Receiver};
use crate::stack::Service;
use crate::worker::Worker;

/// How a worker's log tells that it lost the connection by which it takes messages.
const CUT_OFF: &str = "lost the connection to the broker";

/// The setting that this is about.
const SHARDS: &str = "BELLHOP_AMQP_SHARDS";

/// So many organisations that each of four shards has some.
const ORGANISATIONS: usize = 24;

/// How many events each publishes.
const EVENTS_EACH: usize = 5;

/// Each organisation's events are in one queue. Those that name none in their header are, too; and when the exchange
/// knows no shards, all are in the first.
pub async fn the_events_of_an_organisation_share_a_shard(context: Context) -> Result<()> {
    let site = context.site_with(&[(SHARDS, "4")]).await?;
    let amqp = site.amqp().await?;
    let shards = shards_of(&amqp).await?;
    let used: BTreeSet<usize> = shards.values().copied().collect();
    ensure!(used == (0..4).collect(), "{ORGANISATIONS} organisations use the shards {used:?}");

    let mut nobodys = Message::event("test", SCHEDULED, "evt-nobodys", APPOINTMENT);
    nobodys.properties = nobodys.properties.with_headers(FieldTable::default());
    amqp.publish_all(&[nobodys.clone(), nobodys]).await?;
    let held = drain(&amqp).await?;
    let mut counts: Vec<usize> = held.iter().map(Vec::len).collect();
    counts.sort_unstable();
    ensure!(counts == [0, 0, 0, 2], "events without the header are in {counts:?}");

    for shard in 0..4 {
        let (host, queue) = (site.place.virtual_host(), queue(shard));
        let binding = format!("bindings/{host}/e/bellhop.test.shards/q/{queue}/1");
        site.place.manage(Method::DELETE, &binding, "").await?;
    }
    let shards = shards_of(&amqp).await?;
    ensure!(shards.values().all(|shard| *shard == 0), "{shards:?}");
    amqp.ensure_empty([queues::UNROUTABLE]).await
}

/// One shard, four, two, one, with a publisher and two workers at work all the time. The workers may not configure, are
/// told of four shards from the beginning, and wait for those.
pub async fn their_number_changes_under_load_and_each_event_is_delivered_once(
    context: Context,
) -> Result<()> {
    let (site, receiver) = prepared(&context).await?;
    let program = as_worker(&site).await?.with(SHARDS, "4");
    let workers = tokio::try_join!(site.launch_worker_as(&program), site.launch_worker_as(&program))?;
    for worker in [&workers.0, &workers.1] {
        worker.await_ready().await?;
        worker.logs().await_line("bellhop.test.events.3").await?;
    }
    let mut load = Load::start(connect(&site, ProducerOptions::default()).await?, event);

    load.await_more().await?;
    for shards in ["4", "2", "1"] {
        topology(&site, shards).await?.succeeded()?;
        load.await_more().await?;
        ensure_sound(&site, shards).await?;
    }
    let told = topology(&site, "1").await?.succeeded()?.stdout;
    ensure!(told.contains("delete_queue bellhop.test.events.3"), "what is left over is not told: {told}");
    let events = load.end().await?;
    ensure_delivered_once(&site, &receiver, events, workers).await
}

/// `bellhop topology` is killed while it waits for what is under way: to four shards, and back to one.
pub async fn a_change_that_is_killed_halfway_costs_nothing_and_is_completed_by_the_next(
    context: Context,
) -> Result<()> {
    let (site, receiver) = prepared(&context).await?;
    let workers = tokio::try_join!(site.worker_with(SHARDS, "4"), site.worker_with(SHARDS, "4"))?;
    let mut load = Load::start(connect(&site, ProducerOptions::default()).await?, event);

    load.await_more().await?;
    kill_once(&site, "4", |bound| !bound.contains(&queue(0))).await?;
    load.await_more().await?;
    topology(&site, "2").await?.succeeded()?;
    ensure_sound(&site, "2").await?;
    load.await_more().await?;
    kill_once(&site, "1", |bound| *bound == BTreeSet::from([queue(0)])).await?;
    load.await_more().await?;
    topology(&site, "4").await?.succeeded()?;
    load.await_more().await?;
    ensure_sound(&site, "4").await?;
    let events = load.end().await?;
    ensure_delivered_once(&site, &receiver, events, workers).await
}

/// A lane of 24 with four shards: three places for each, and twelve for whoever has more.
const BURST_SETTINGS: [(&str, &str); 6] = [
    (SHARDS, "4"),
    ("BELLHOP_WORKER_FRESH_IN_FLIGHT_MAX", "24"),
    ("BELLHOP_WORKER_WEBHOOK_IN_FLIGHT_MAX", "12"),
    ("BELLHOP_SENDER_REQUEST_TIMEOUT", "60s"),
    ("BELLHOP_SHUTDOWN_DRAIN_TIMEOUT", "90s"),
    ("BELLHOP_SHUTDOWN_GRACE", "100s"),
];

/// How many events of its shard a burst has in hand: all that are not others' own.
const BURST_IN_HAND: usize = 15;

/// What a worker counts of those that arrived.
const DELIVERED: &str =
    r#"bellhop_deliveries_total{end="delivered",mode="test",type="appointment.scheduled"}"#;

/// How many organisations of one shard burst: so many that their webhooks could hold the whole lane.
const BURSTING: usize = 3;

/// Endpoints of one shard's organisations hold what they get, and more waits for them. Everybody on the other shards is
/// served all the same, before a single one of those answers.
pub async fn a_burst_on_one_shard_leaves_the_others_their_places(context: Context) -> Result<()> {
    let site = context.site_with(&BURST_SETTINGS).await?;
    let amqp = site.amqp().await?;
    let shards = shards_of(&amqp).await?;
    let fullest = (0..4).max_by_key(|shard| of_shard(&shards, *shard).count()).context("four shards")?;
    let bursting: Vec<String> = of_shard(&shards, fullest).take(BURSTING).collect();
    let others = (0..4).filter(|shard| *shard != fullest);
    let others: Vec<String> = others.filter_map(|shard| of_shard(&shards, shard).next()).collect();
    ensure!(bursting.len() == BURSTING && others.len() == 3, "{shards:?}");
    let receiver = context.receiver().await?;
    let gate = Gate::default();
    gate.open();
    let held = receiver.endpoint("held", Answer::status(200).behind(&gate));
    let quick = receiver.endpoint("quick", Answer::status(200));
    for organisation in &bursting {
        register(&site, organisation, &held.url).await?;
    }
    for organisation in &others {
        register(&site, organisation, &quick.url).await?;
    }
    let worker = site.worker().await?;
    // Who was never quick would leave the fresh lane before it is full.
    let events = events_of(&bursting, 1 + BURST_IN_HAND);
    let (first, burst) = events.split_at(bursting.len());
    amqp.publish_all(first).await?;
    worker.await_figure(DELIVERED, first.len() as u64).await?;
    gate.shut();

    amqp.publish_all(burst).await?;
    held.await_requests(first.len() + BURST_IN_HAND).await?;
    let rest = events_of(&others, BURST_IN_HAND);
    amqp.publish_all(&rest).await?;
    quick.await_requests(rest.len()).await?;
    let requests = held.requests();
    ensure!(requests[first.len()..].iter().all(|request| request.status().is_none()), "{requests:?}");

    gate.open();
    let all = first.len() + burst.len() + rest.len();
    receiver.await_taken(all).await?;
    worker.drain().await?;
    ensure!(receiver.received() == all, "{} requests", receiver.received());
    ensure_queues_empty(&amqp).await
}

/// The broker forgets the type, as one without the plugin never knew it.
pub async fn without_the_plugin_one_shard_works_and_several_say_what_is_missing(
    context: Context,
) -> Result<()> {
    let broker = context.private_stack(&[Service::Rabbitmq]).await?;
    let site = context.site_on(&broker).await?;
    broker.ctl(&["eval", "rabbit_registry:unregister(exchange, <<\"x-consistent-hash\">>)."]).await?;
    let enable = "rabbitmq-plugins enable rabbitmq_consistent_hash_exchange";

    topology(&site, "2").await?.ended_with(1)?.complains_of(&[enable, "`[amqp] shards` to 1"])?;
    topology(&site, "1").await?.succeeded()?;
    ensure_sound(&site, "1").await?;
    let (_, found) = examine_as(&site, &site.operator.program().clone().with(SHARDS, "2")).await?;
    let told = problems(&found);
    ensure!(told.iter().any(|what| what.contains("no exchange type `x-consistent-hash`")), "{told:?}");
    Ok(())
}

/// A site with one shard, where every organisation has a webhook for the same endpoint.
async fn prepared(context: &Context) -> Result<(Site, Receiver)> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    for number in 0..ORGANISATIONS {
        register(&site, &organisation(number), &endpoint.url).await?;
    }
    Ok((site, receiver))
}

async fn register(site: &Site, organisation: &str, url: &str) -> Result<()> {
    let webhook = ["webhook", "add", "--mode", "test", "--organisation", organisation];
    let arguments = [&webhook[..], &["--url", url, "--event", SCHEDULED]].concat();
    site.operator.program().run(&arguments).await?.succeeded().map(drop)
}

/// A worker's program, with the permissions that are documented for it.
async fn as_worker(site: &Site) -> Result<Program> {
    let user = format!("worker-of-{}", site.place.virtual_host());
    let login = r#"{"password":"only-here","tags":""}"#;
    site.place.manage(Method::PUT, &format!("users/{user}"), login).await?;
    let rights = r#"{"configure":"","write":"^bellhop\\.(live|test|log)$","read":"^bellhop\\.(live|test)\\.(events\\.[0-9]+|slow|due)$"}"#;
    let path = format!("permissions/{}/{user}", site.place.virtual_host());
    site.place.manage(Method::PUT, &path, rights).await?;
    let url = site.place.amqp_url();
    let (_, server) = url.rsplit_once('@').context("a login in the URL")?;
    let url = format!("amqp://{user}:only-here@{server}");
    Ok(site.operator.program().clone().with("BELLHOP_AMQP_URL", &url))
}

async fn topology(site: &Site, shards: &str) -> Result<Finished> {
    site.operator.program().clone().with(SHARDS, shards).run(&["topology"]).await
}

/// Starts a change and kills it once `bellhop.events` is bound as it has to be.
async fn kill_once(site: &Site, shards: &str, is_halfway: fn(&BTreeSet<String>) -> bool) -> Result<()> {
    let amqp = site.operator.program().clone().with(SHARDS, shards);
    let mut changing = amqp.spawn(&["topology"])?;
    let path = format!("exchanges/{}/bellhop.events/bindings/source", site.place.virtual_host());
    let look = || async {
        let bindings = site.place.ask(&path).await?;
        let of_test = bindings.as_array().into_iter().flatten().filter(|b| b["routing_key"] == "test.#");
        let bound = of_test.filter_map(|b| b["destination"].as_str().map(ToOwned::to_owned)).collect();
        Ok(is_halfway(&bound).then_some(()))
    };
    eventually("a change to be halfway", look).await?;
    changing.kill().await.context("kill the change")
}

/// Insists that `bellhop doctor` finds bindings, queues and exchanges as they should be.
async fn ensure_sound(site: &Site, shards: &str) -> Result<()> {
    let (_, found) = examine_as(site, &site.operator.program().clone().with(SHARDS, shards)).await?;
    ensure!(problems(&found).is_empty(), "with {shards} shards: {found}");
    Ok(())
}

/// Stops the workers and insists that every event of a load was sent once, and that nothing is left anywhere.
async fn ensure_delivered_once(
    site: &Site,
    receiver: &Receiver,
    events: usize,
    (one, other): (Worker, Worker),
) -> Result<()> {
    receiver.await_taken(events).await?;
    // RabbitMQ 3.10 ends a connection that begins to consume a queue at the very moment it is made, with an internal error;
    // what was in hand is then offered again.
    let is_cut_off =
        [&one, &other].iter().any(|worker| worker.logs().lines().iter().any(|line| line.contains(CUT_OFF)));
    one.drain().await?;
    site.ensure_nothing_owed(other).await?;
    let account = Account::of(receiver.requests());
    account.ensure_nothing_lost(events, &["hook"])?;
    account.ensure_bounded(usize::from(is_cut_off))?;
    ensure!(is_cut_off || account.repeats() == 0, "{} requests for {events} events", receiver.received());
    let amqp = site.amqp().await?;
    ensure_no_ends(&amqp).await?;
    ensure_queues_empty(&amqp).await
}

async fn ensure_queues_empty(amqp: &Amqp) -> Result<()> {
    let shards: Vec<String> = (0..4).map(queue).collect();
    let parked = [queues::parked("test"), queues::parked("live"), queues::UNROUTABLE.to_owned()];
    let queues: Vec<&str> = shards.iter().chain(&parked).map(String::as_str).collect();
    amqp.ensure_empty(queues).await
}

/// Publishes some events of every organisation, and finds out in which shard each organisation's are.
async fn shards_of(amqp: &Amqp) -> Result<BTreeMap<String, usize>> {
    let organisations: Vec<String> = (0..ORGANISATIONS).map(organisation).collect();
    let events = events_of(&organisations, EVENTS_EACH);
    amqp.publish_all(&events).await?;
    let held = drain(amqp).await?;
    ensure!(
        held.iter().map(Vec::len).sum::<usize>() == events.len(),
        "an event is stored twice, or not at all"
    );
    let mut shards = BTreeMap::new();
    for (shard, message) in
        held.iter().enumerate().flat_map(|(shard, held)| held.iter().map(move |m| (shard, m)))
    {
        let organisation = message.header("organisation-id").context("the header")?;
        let first = *shards.entry(organisation.clone()).or_insert(shard);
        ensure!(first == shard, "events of `{organisation}` are in shards {first} and {shard}");
    }
    Ok(shards)
}

/// The organisations of a shard.
fn of_shard(shards: &BTreeMap<String, usize>, wanted: usize) -> impl Iterator<Item = String> {
    shards.iter().filter(move |(_, shard)| **shard == wanted).map(|(organisation, _)| organisation.clone())
}

/// What lies in each of four shards.
async fn drain(amqp: &Amqp) -> Result<Vec<Vec<Received>>> {
    let mut held = Vec::new();
    for shard in 0..4 {
        held.push(amqp.drain(&queue(shard)).await?);
    }
    Ok(held)
}

/// Events of organisations in turn, each with an id of its own.
fn events_of(organisations: &[String], each: usize) -> Vec<Message> {
    let numbers = (0..each).flat_map(|number| organisations.iter().map(move |name| (number, name)));
    numbers.map(|(number, name)| Message::of(name, &format!("{name}-{number}"))).collect()
}

/// The event of a number in a load: the organisations take turns.
fn event(number: usize) -> Result<NewEvent> {
    let data = APPOINTMENT.replace(ORGANISATION, &organisation(number % ORGANISATIONS));
    let (id, now) = (load_id(number).parse()?, OffsetDateTime::now_utc());
    Ok(NewEvent::with_id(&id, &SCHEDULED.parse()?, Mode::Test, now, &data)?)
}

fn organisation(number: usize) -> String {
    format!("org_number{number}")
}

fn queue(shard: usize) -> String {
    format!("bellhop.test.events.{shard}")
}
