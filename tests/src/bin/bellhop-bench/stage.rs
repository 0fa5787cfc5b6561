//! What measurements take place on: throwaway servers, registered webhooks, and the sink that is behind them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::Mode;
use bellhop_tests::ground::Ground;
use bellhop_tests::http;
use bellhop_tests::machine::Machine;
use bellhop_tests::measuring::registry::Registry;
use bellhop_tests::measuring::role::{Pid, Role};
use bellhop_tests::place::Place;
use bellhop_tests::program::Program;
use bellhop_tests::stack::{Service, Stack};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hyper::Method;
use lapin::options::QueuePurgeOptions;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::process::Command;
use tokio::time::Instant;

use crate::conditions::{Conditions, FAN_OUTS};
use crate::floor::{Target, Targets};
use crate::sink::{self, Arrivals, Expected};

/// The queue that consumers are measured on.
pub(crate) const EVENTS_QUEUE: &str = "bellhop.test.events.0";

/// Where records of attempts go.
pub(crate) const LOG_QUEUE: &str = "bellhop.log";

/// The waits of production: the tests' own are short.
const PRODUCTION: [(&str, &str); 1] = [("BELLHOP_RETRY_WAITS", "30s,10m")];

/// Webhooks registered at once.
const REGISTERING_MAX: usize = 6;

/// Longest wait for the last delivery of a run.
const ARRIVALS_TIMEOUT: Duration = Duration::from_secs(120);

/// Servers, webhooks, sink. Everything ends with it.
pub(crate) struct Stage {
    /// The sink.
    pub(crate) sink: Role,
    /// The broker's process.
    pub(crate) broker: Pid,
    /// Organisations and their webhooks, by fan-out.
    pub(crate) crowds: BTreeMap<usize, Crowd>,
    /// Where the roles' logs go.
    pub(crate) logs: PathBuf,
    listening: sink::Listening,
    binary: PathBuf,
    place: Place,
    channel: Channel,
    _connection: Connection,
    stack: Stack,
    _ground: Ground,
}

/// Organisations that have equally many webhooks.
pub(crate) struct Crowd {
    /// How many webhooks each has.
    pub(crate) fan_out: usize,
    /// Their ids, in the order in which they take turns.
    pub(crate) organisations: Vec<String>,
    /// Their webhooks, as the floor wants them.
    pub(crate) targets: Targets,
}

impl Stage {
    /// Starts everything; some 15 s.
    pub(crate) async fn set(conditions: &Conditions, folder: &Path) -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("bellhop");
        ensure!(binary.exists(), "{} is missing: `make bench` builds it", binary.display());
        let logs = folder.join("logs");
        std::fs::create_dir_all(&logs).with_context(|| logs.display().to_string())?;
        let ground = Ground::prepare()?;
        let stack = Stack::start(&ground, &Service::ALL).await?;
        let place = Place::make(stack.addresses().clone(), &PRODUCTION).await?;
        let program = Program::new(&binary, place.environment());
        program.run(&["migrate"]).await?.succeeded()?;
        program.run(&["topology"]).await?.succeeded()?;
        let plan = sink::Plan { endpoints: conditions.endpoints };
        let mut sink = Role::start_own("sink", &plan, &logs.join("sink.log"))?;
        let listening: sink::Listening = sink.told(Duration::from_secs(10)).await?;
        let connection = Connection::connect(&place.amqp_url(), ConnectionProperties::default()).await?;
        let mut stage = Self {
            sink,
            broker: Pid::of_broker(&stack).await?,
            crowds: BTreeMap::new(),
            logs,
            listening,
            binary,
            channel: connection.create_channel().await?,
            place,
            _connection: connection,
            stack,
            _ground: ground,
        };
        stage.register().await?;
        Ok(stage)
    }

    /// The broker, with its virtual host.
    pub(crate) fn amqp_url(&self) -> String {
        self.place.amqp_url()
    }

    /// Where this runs.
    pub(crate) async fn machine(&self) -> Result<Machine> {
        Machine::describe(&self.stack).await
    }

    /// A worker as it runs in production, but for where the servers are and that it may call this machine.
    pub(crate) fn worker(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("worker").envs(self.place.environment());
        command
    }

    /// Has the sink forget everything before.
    pub(crate) async fn expect(&self, expected: Expected) -> Result<()> {
        self.ask(Method::POST, "begin", serde_json::to_string(&expected)?).await.map(drop)
    }

    /// Waits for as many distinct deliveries.
    ///
    /// * `role`: must not end meanwhile.
    pub(crate) async fn await_arrivals(&self, count: usize, role: &mut Role) -> Result<Arrivals> {
        let deadline = Instant::now() + ARRIVALS_TIMEOUT;
        loop {
            let arrivals = self.ask(Method::GET, &format!("await/{count}"), String::new()).await?;
            if count <= arrivals.distinct {
                return Ok(arrivals);
            }
            role.ensure_running()?;
            ensure!(
                Instant::now() < deadline,
                "only {} of {count} deliveries came within {ARRIVALS_TIMEOUT:?}: {arrivals:?}",
                arrivals.distinct
            );
        }
    }

    /// Empties a queue.
    ///
    /// * returns how many messages were in it.
    pub(crate) async fn purge(&self, queue: &str) -> Result<u32> {
        let purging = self.channel.queue_purge(queue.into(), QueuePurgeOptions::default());
        purging.await.with_context(|| format!("purge {queue}"))
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Result<Arrivals> {
        let url = format!("http://{}/{path}", self.listening.control);
        let response = http::call(method, &url, body).await.context("ask the sink")?;
        ensure!(response.status == 200, "the sink answers {} to {path}", response.status);
        serde_json::from_str(&response.body).context("the sink answers in JSON")
    }

    async fn register(&mut self) -> Result<()> {
        let registry = Registry::open(&self.place)?;
        for fan_out in FAN_OUTS {
            let crowd = Crowd::register(&registry, fan_out, &self.listening).await?;
            self.crowds.insert(fan_out, crowd);
        }
        Ok(())
    }
}

impl Crowd {
    /// Registers an organisation for each endpoint. The webhooks of one are on different endpoints, so that a fan-out
    /// is never to one host.
    async fn register(registry: &Registry, fan_out: usize, listening: &sink::Listening) -> Result<Self> {
        let endpoints = &listening.endpoints;
        let organisations: Vec<String> =
            (0..endpoints.len()).map(|number| format!("org_bench{fan_out}x{number}")).collect();
        let registering = organisations.iter().enumerate().map(|(number, organisation)| async move {
            let mut targets = Vec::with_capacity(fan_out);
            for webhook in 0..fan_out {
                let endpoint = endpoints[(number + webhook) % endpoints.len()];
                let url = format!("http://{endpoint}/{number}/{webhook}");
                let secret = registry.add(Mode::Test, organisation, &url).await?;
                targets.push(Target { url, secret });
            }
            anyhow::Ok((organisation.clone(), targets))
        });
        let targets = stream::iter(registering).buffer_unordered(REGISTERING_MAX).try_collect().await?;
        Ok(Self { fan_out, organisations, targets })
    }
}
