//! What is measured: throwaway servers, an API with one core, a webhook to read, and a producer.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_producer::{BrokerAddress, Producer, ProducerOptions};
use bellhop_tests::ground::Ground;
use bellhop_tests::http;
use bellhop_tests::machine::Machine;
use bellhop_tests::operator::Operator;
use bellhop_tests::patience::eventually;
use bellhop_tests::place::Place;
use bellhop_tests::stack::{Service, Stack};
use tokio::process::{Child, Command};

/// The core that the API runs on.
const CORE: &str = "0";

/// Bounds that are not to be measured.
const SETTINGS: [(&str, &str); 4] = [
    ("BELLHOP_API_KEY_REQUESTS_PER_SECOND", "100000"),
    ("BELLHOP_API_KEY_REQUESTS_BURST", "100000"),
    ("BELLHOP_API_ADDRESS_REQUESTS_PER_SECOND", "100000"),
    ("BELLHOP_API_ADDRESS_REQUESTS_BURST", "100000"),
];

/// Linux counts CPU time in hundredths of a second towards programs, whatever the kernel was built with.
const TICK: Duration = Duration::from_millis(10);

/// Everything ends with it.
pub(crate) struct Stage {
    /// Where the API is.
    pub(crate) api: SocketAddr,
    /// A key to ask it with, of Test Mode.
    pub(crate) key: String,
    /// A webhook that the key may read.
    pub(crate) webhook: String,
    /// What publishes on the broker.
    pub(crate) producer: Producer,
    /// Where this runs.
    pub(crate) machine: Machine,
    process: Child,
    _stack: Stack,
    _ground: Ground,
}

impl Stage {
    /// Starts everything; some 15 s.
    pub(crate) async fn set(folder: &Path) -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("bellhop");
        ensure!(binary.exists(), "{} is missing: `make bench` builds it", binary.display());
        let ground = Ground::prepare()?;
        let stack = Stack::start(&ground, &Service::ALL).await?;
        let machine = Machine::describe(&stack).await?;
        let place = Place::make(stack.addresses().clone(), &SETTINGS).await?;
        let operator = Operator::new(&binary, &place);
        operator.prepare().await?;
        let webhook = operator.add_webhook("https://example.org/hook").await?.id;
        let key = operator.create_key("test", "administrator").await?;
        let api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", CORE]).arg(&binary).arg("api").envs(place.environment());
        command.env("BELLHOP_API_LISTEN", api.to_string());
        let log = folder.join("api.log");
        let stderr = File::create(&log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).kill_on_drop(true);
        let process = command.spawn().context("start the API by taskset")?;
        let answers = async || {
            let response = http::get(&format!("http://{api}/openapi.json")).await?;
            Ok((response.status == 200).then_some(()))
        };
        eventually("the API to answer", answers).await?;
        let address = BrokerAddress::parse(&place.amqp_url(), None)?;
        let producer = Producer::connect(address, ProducerOptions::default()).await?;
        Ok(Self { api, key, webhook, producer, machine, process, _stack: stack, _ground: ground })
    }

    /// CPU time of the API so far, user and system.
    pub(crate) fn api_cpu(&self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.process.id().context("the API has ended")?);
        let stat = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        // The second field is the program's name in parentheses, which may hold blanks.
        let (_, fields) = stat.rsplit_once(')').with_context(|| path.clone())?;
        let ticks: Vec<u32> =
            fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(TICK * ticks.iter().sum())
    }
}
