//! What a row takes place on: a place of its own on the servers, four webhooks, two workers and a publisher.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::End;
use bellhop_tests::account::{Account, Balance, Owed, ends};
use bellhop_tests::amqp::Amqp;
use bellhop_tests::cluster::Cluster;
use bellhop_tests::ground::Ground;
use bellhop_tests::operator::Operator;
use bellhop_tests::patience::{PATIENCE, eventually};
use bellhop_tests::place::Place;
use bellhop_tests::program::Program;
use bellhop_tests::queues;
use bellhop_tests::receiver::{Answer, Receiver, Request};
use bellhop_tests::relay::Relay;
use bellhop_tests::stack::{Addresses, Stack};
use bellhop_tests::worker::{Logs, Worker};
use futures_util::future::try_join_all;
use rand::Rng as _;
use tokio::time::{Instant, MissedTickBehavior, interval};
use url::Url;

use crate::conditions::Conditions;
use crate::publisher::Publisher;
use crate::recorded::{LogBalance, Tables, new_ends};

/// Paths of endpoints that take everything at once.
pub(crate) const HEALTHY: [&str; 2] = ["/steady", "/other"];

/// The path of the endpoint that refuses each first attempt.
const FLAKY: &str = "/flaky";

/// The path of the endpoint that refuses everything.
const BROKEN: &str = "/broken";

/// How many webhooks each event is for.
pub(crate) const WEBHOOKS: usize = 4;

/// How many workers there are.
pub(crate) const WORKERS: usize = 2;

/// Seconds between heartbeats where a row is about them. The broker's default of 60 would make it take minutes.
pub(crate) const HEARTBEAT_SECONDS: u32 = 2;

/// Longest time that an endpoint takes to answer: long enough that a fault finds requests under way, and far shorter than
/// the waits between attempts.
pub(crate) const WORK_MAX: Duration = Duration::from_millis(50);

/// Waits between attempts: short enough for a row of seconds, and long enough that a fault does not find an event and the
/// next attempt at it in one pair of hands, even where the machine is so busy that an acknowledgement takes seconds. A
/// kill would then rightly repeat both, which the account could not tell from a forked chain.
pub(crate) const RETRY_WAITS: &str = "3s,4s";

/// What workers log: enough to see why an attempt was repeated.
const LOGS_LEVELS: &str = "info,bellhop_worker=debug";

/// Nothing is owed any more when no request came for as long: longer than the longest wait between attempts.
const QUIET: Duration = Duration::from_millis(4_500);

/// Pause between two looks at what came.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// How a row's processes reach the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As usual.
    Direct,
    /// With heartbeats every [`HEARTBEAT_SECONDS`].
    Beating,
    /// The workers through a relay.
    Relayed,
    /// To a cluster of three nodes, which the row has to itself.
    Clustered,
    /// As usual, and a recorder takes what the workers tell the log.
    Recorded,
}

/// Everything that a fault may strike.
pub(crate) struct Scene {
    /// The servers, which the scene has to itself while it lasts.
    pub(crate) stack: Arc<Stack>,
    /// The brokers, where there are several.
    pub(crate) cluster: Option<Cluster>,
    /// Where it lies on them.
    pub(crate) place: Place,
    /// The program, in this place.
    pub(crate) program: Program,
    /// The workers that run.
    pub(crate) workers: Vec<Worker>,
    /// The recorder, where there is one.
    pub(crate) recorder: Option<Worker>,
    /// Most requests that were in flight when a worker was killed.
    pub(crate) in_flight: usize,
    /// The platform.
    pub(crate) publisher: Publisher,
    /// What the workers reach the broker through, where they do.
    pub(crate) relay: Relay,
    /// Events that others than the publisher published and know to be confirmed.
    pub(crate) confirmed: BTreeSet<String>,
    receiver: Receiver,
    paths: BTreeMap<String, &'static str>,
    logs: Vec<Logs>,
    hold: Duration,
    rate: usize,
}

impl Scene {
    /// Makes a place, registers webhooks, starts workers, and then the publisher.
    pub(crate) async fn set(
        (ground, stack): (&Ground, &Arc<Stack>),
        binary: &Path,
        way: Way,
        conditions: &Conditions,
    ) -> Result<Self> {
        let cluster = if way == Way::Clustered { Some(Cluster::start(ground).await?) } else { None };
        let addresses = match cluster.as_ref().map(|cluster| cluster.addresses().clone()) {
            Some(Addresses { amqp, management, .. }) => {
                Addresses { amqp, management, ..stack.addresses().clone() }
            }
            None => stack.addresses().clone(),
        };
        let place = Place::make(addresses, &[("BELLHOP_RETRY_WAITS", RETRY_WAITS)]).await?;
        let operator = Operator::new(binary, &place);
        operator.prepare().await?;
        let relay = Relay::open().await?;
        let amqp_url = reach(&place, way, &relay)?;
        let receiver = Receiver::start().await?;
        let paths = register(&operator, &receiver).await?;
        let program = operator
            .program()
            .clone()
            .with("BELLHOP_AMQP_URL", &amqp_url)
            .with("BELLHOP_LOGS_LEVELS", LOGS_LEVELS);
        let mut logs = Vec::new();
        let workers = start(&program, WORKERS, &mut logs).await?;
        let recorder = match way {
            Way::Recorded => Some(start_recorder(&program, &mut logs).await?),
            Way::Direct | Way::Beating | Way::Relayed | Way::Clustered => None,
        };
        let publisher_url = if way == Way::Relayed { place.amqp_url() } else { amqp_url };
        let publisher = Publisher::start(&publisher_url, conditions.rate).await?;
        Ok(Self {
            stack: Arc::clone(stack),
            cluster,
            place,
            program,
            workers,
            recorder,
            in_flight: 0,
            publisher,
            relay,
            confirmed: BTreeSet::new(),
            receiver,
            paths,
            logs,
            hold: conditions.hold(),
            rate: conditions.rate,
        })
    }

    /// Starts a recorder and waits until it is ready.
    pub(crate) async fn start_recorder(&mut self) -> Result<()> {
        self.recorder = Some(start_recorder(&self.program, &mut self.logs).await?);
        Ok(())
    }

    /// How many events are published within some time, at most.
    pub(crate) fn published_within(&self, span: Duration) -> usize {
        let events = u32::try_from(self.rate).unwrap_or(u32::MAX);
        usize::try_from((span * events).as_secs()).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// Starts workers and waits until they are ready.
    pub(crate) async fn start_workers(&mut self, count: usize) -> Result<()> {
        self.workers.extend(start(&self.program, count, &mut self.logs).await?);
        Ok(())
    }

    /// Lets everything go on for a while.
    pub(crate) async fn hold(&self) {
        self.hold_for(self.hold).await;
    }

    /// Lets everything go on for so long.
    pub(crate) async fn hold_for(&self, span: Duration) {
        // waits: for time itself, which is what a fault's place in a steady stream of events is made of.
        tokio::time::sleep(span).await;
    }

    /// Lets everything go on for a random while, so that what follows strikes between any two instructions.
    pub(crate) async fn hold_up_to(&self, most: Duration) {
        let share: f64 = rand::rng().random();
        self.hold_for(most.mul_f64(share)).await;
    }

    /// Waits until every delivery has ended and nothing moves any more, or patience is over; then stops the workers.
    ///
    /// * `faults`: how many faults may have caught one delivery.
    /// * returns every request that came, the balance, and that of the delivery log where there is a recorder.
    pub(crate) async fn settle(
        &mut self,
        owed: &Owed,
        faults: usize,
    ) -> Result<(Account, Balance, Option<LogBalance>)> {
        let amqp = Amqp::connect(&self.place.amqp_url()).await?;
        let mut ends = self.await_ends(&amqp, owed).await?;
        for worker in std::mem::take(&mut self.workers) {
            let status = worker.drain().await?;
            ensure!(status.success(), "a worker that was told to stop ended with {status}");
        }
        let recorder = self.recorder.take();
        let log = match recorder {
            None => {
                ends.extend(logged(&amqp).await?);
                None
            }
            Some(recorder) => Some(self.close_log(&amqp, recorder).await?),
        };
        let (account, mut balance) = self.balance(&ends, owed, faults)?;
        let log = log.map(|(log, breaches)| {
            balance.breaches.extend(breaches);
            log
        });
        let parked = ["live", "test"].map(queues::parked);
        for queue in
            queues::owed(RETRY_WAITS).into_iter().chain(parked).chain([queues::UNROUTABLE.to_owned()])
        {
            let left = amqp.drain(&queue).await?.len();
            if left != 0 {
                balance.breaches.push(format!("`{queue}` holds {left} messages that nobody takes"));
            }
        }
        Ok((account, balance, log))
    }

    /// Waits until the recorder has taken everything, stops it, and holds the log against what was received.
    async fn close_log(&self, amqp: &Amqp, recorder: Worker) -> Result<(LogBalance, Vec<String>)> {
        let is_empty = async || Ok((amqp.count([queues::LOG]).await? == 0).then_some(()));
        eventually("the recorder to take everything", is_empty).await?;
        let status = recorder.drain().await?;
        ensure!(status.success(), "a recorder that was told to stop ended with {status}");
        let tables = Tables::open(&self.place).await?;
        tables.compare(&self.receiver.requests(), &self.paths, self.in_flight).await
    }

    /// How many deliveries a second the webhooks took that take everything at once, between moments.
    ///
    /// * returns one fewer than there are moments.
    pub(crate) fn rates(&self, moments: &[std::time::Instant]) -> Vec<f64> {
        let requests = self.receiver.requests();
        let taken = |from: std::time::Instant, until: std::time::Instant| {
            let is_taken = |request: &&Request| {
                HEALTHY.contains(&request.path()) && (from..until).contains(&request.arrived)
            };
            requests.iter().filter(is_taken).count() as f64 / (until - from).as_secs_f64().max(f64::EPSILON)
        };
        moments.windows(2).map(|pair| taken(pair[0], pair[1])).collect()
    }

    /// Writes what the workers logged into a folder.
    pub(crate) fn write_logs(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        for (number, logs) in self.logs.iter().enumerate() {
            let path = folder.join(format!("worker-{number}.log"));
            std::fs::write(&path, logs.lines().join("\n")).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// Removes what lies on the servers.
    pub(crate) async fn clear(self) -> Result<()> {
        self.place.clear(&[]).await
    }

    async fn await_ends(&self, amqp: &Amqp, owed: &Owed) -> Result<Vec<End>> {
        let queues = queues::owed(RETRY_WAITS);
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let deadline = Instant::now() + PATIENCE;
        let (mut ends, mut requests, mut quiet_since) = (Vec::new(), 0, Instant::now());
        while Instant::now() < deadline {
            looks.tick().await;
            let found = match self.recorder {
                None => logged(amqp).await?,
                Some(_) => new_ends(Tables::open(&self.place).await?.ends().await?, &ends),
            };
            let is_quiet = found.is_empty() && requests == self.receiver.received();
            if !is_quiet {
                (requests, quiet_since) = (self.receiver.received(), Instant::now());
            }
            ends.extend(found);
            if quiet_since.elapsed() < QUIET || amqp.count(queues.iter().map(String::as_str)).await? != 0 {
                continue;
            }
            if self.balance(&ends, owed, 0)?.1.lost == 0 {
                break;
            }
        }
        Ok(ends)
    }

    fn balance(&self, ends: &[End], owed: &Owed, faults: usize) -> Result<(Account, Balance)> {
        let account = Account::of(self.receiver.requests());
        let path_of = |webhook: &str| self.paths.get(webhook).map(|path| (*path).to_owned());
        let balance = Balance::of(&account, ends, owed, path_of, faults)?;
        Ok((account, balance))
    }
}

/// What is owed when these events were confirmed.
pub(crate) fn owed(events: BTreeSet<String>) -> Owed {
    Owed { events, taking: [&HEALTHY[..], &[FLAKY]].concat(), refusing: vec![BROKEN] }
}

/// The broker's URL for a row's processes.
fn reach(place: &Place, way: Way, relay: &Relay) -> Result<String> {
    let direct = place.amqp_url();
    match way {
        Way::Direct | Way::Clustered | Way::Recorded => Ok(direct),
        Way::Beating => Ok(format!("{direct}?heartbeat={HEARTBEAT_SECONDS}")),
        Way::Relayed => {
            let mut url = Url::parse(&direct).context("the broker's URL")?;
            let port = url.port().context("the broker's URL names a port")?;
            relay.point(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            url.set_port(Some(relay.address().port())).ok().context("the broker's URL can have a port")?;
            Ok(url.into())
        }
    }
}

async fn start(program: &Program, count: usize, kept: &mut Vec<Logs>) -> Result<Vec<Worker>> {
    let logs: Vec<Logs> = (0..count).map(|_| Logs::default()).collect();
    kept.extend(logs.iter().cloned());
    try_join_all(logs.into_iter().map(|logs| Worker::start(program, logs))).await
}

async fn start_recorder(program: &Program, kept: &mut Vec<Logs>) -> Result<Worker> {
    let logs = Logs::default();
    kept.push(logs.clone());
    let recorder = Worker::launch_command(program, "recorder", logs).await?;
    recorder.await_ready().await?;
    Ok(recorder)
}

/// Registers the webhooks.
///
/// * returns the path of each one's endpoint, by its id.
async fn register(operator: &Operator, receiver: &Receiver) -> Result<BTreeMap<String, &'static str>> {
    let registering = HEALTHY.into_iter().chain([FLAKY, BROKEN]).map(async |path| {
        let endpoint = receiver.endpoint_by(path.trim_start_matches('/'), |request, _| {
            let is_refused = request.path() == BROKEN || request.path() == FLAKY && request.attempt() == 1;
            let work = rand::rng().random_range(Duration::ZERO..WORK_MAX);
            Answer::status(if is_refused { 500 } else { 200 }).after(work)
        });
        anyhow::Ok((operator.add_webhook(&endpoint.url).await?.id, path))
    });
    Ok(try_join_all(registering).await?.into_iter().collect())
}

async fn logged(amqp: &Amqp) -> Result<Vec<End>> {
    ends(&amqp.drain(queues::LOG).await?)
}
