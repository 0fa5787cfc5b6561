//! What measurements take place on: throwaway servers and the sink that is behind every webhook.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_tests::ground::Ground;
use bellhop_tests::http;
use bellhop_tests::machine::Machine;
use bellhop_tests::measuring::postmaster::Postmaster;
use bellhop_tests::measuring::role::{Pid, Role};
use bellhop_tests::place::Place;
use bellhop_tests::program::Program;
use bellhop_tests::stack::{Service, Stack};
use hyper::Method;
use serde::de::DeserializeOwned;
use tokio_postgres::NoTls;

use crate::files::Files;
use crate::sink::{self, Expected, Listening, TallyTold};

/// The waits of production: the tests' own are short.
pub(crate) const RETRY_WAITS: &str = "30s,10m";

/// Servers that speak TLS, for live webhooks.
const SECURE: usize = 50;

/// Servers and sink. Everything ends with it.
pub(crate) struct Stage {
    /// The sink.
    pub(crate) sink: Role,
    /// Where its endpoints are.
    pub(crate) listening: Listening,
    /// The broker's process.
    pub(crate) broker: Pid,
    /// PostgreSQL's first process.
    pub(crate) postmaster: Postmaster,
    /// Where the roles' logs go.
    pub(crate) logs: PathBuf,
    /// The program under test.
    pub(crate) binary: PathBuf,
    authority: PathBuf,
    stack: Stack,
    _ground: Ground,
}

impl Stage {
    /// Starts everything; some 10 s.
    ///
    /// * `folder`: for the logs.
    pub(crate) async fn set(folder: &Path, files: Files) -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("bellhop");
        ensure!(binary.exists(), "{} is missing: `make faults` builds it", binary.display());
        let logs = folder.join("faults-logs");
        std::fs::create_dir_all(&logs).with_context(|| logs.display().to_string())?;
        let ground = Ground::prepare_in(&files.folder()?)?;
        let stack = Stack::start(&ground, &Service::ALL).await?;
        let authority = ground.scratch_file("authority.pem", "")?;
        let plan = sink::Plan { secure: SECURE, authority: authority.clone() };
        let mut sink = Role::start_own("sink", &plan, &logs.join("sink.log"))?;
        let listening = sink.told(Duration::from_secs(10)).await?;
        let broker = Pid::of_broker(&stack).await?;
        let postmaster = postmaster(&stack).await.context("find PostgreSQL's process")?;
        Ok(Self { sink, listening, broker, postmaster, logs, binary, authority, stack, _ground: ground })
    }

    /// Where this runs.
    pub(crate) async fn machine(&self) -> Result<Machine> {
        Machine::describe(&self.stack).await
    }

    /// A place of its own for one half, with tables and queues, and with the waits of production.
    pub(crate) async fn place(&self, settings: &[(&str, &str)]) -> Result<Place> {
        let authority = self.authority.display().to_string();
        let usual = [("BELLHOP_RETRY_WAITS", RETRY_WAITS), ("BELLHOP_SENDER_CA_FILE", &authority)];
        let settings = [&usual[..], settings].concat();
        let place = Place::make(self.stack.addresses().clone(), &settings).await?;
        let program = Program::new(&self.binary, place.environment());
        program.run(&["migrate"]).await?.succeeded()?;
        program.run(&["topology"]).await?.succeeded()?;
        Ok(place)
    }

    /// Has the sink forget everything before.
    pub(crate) async fn expect(&self, expected: &Expected) -> Result<()> {
        self.ask(Method::POST, "begin", serde_json::to_string(expected)?).await.map(drop)
    }

    /// Waits a while for events of a run to be taken.
    ///
    /// * returns how many are by then.
    pub(crate) async fn taken(&self, run: usize, count: usize) -> Result<usize> {
        self.told(&format!("await/{run}/{count}")).await
    }

    /// Everything that the sink counted.
    pub(crate) async fn tally(&self) -> Result<TallyTold> {
        self.told("tally").await
    }

    async fn told<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let body = self.ask(Method::GET, path, String::new()).await?;
        serde_json::from_str(&body).context("the sink answers in JSON")
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Result<String> {
        let url = format!("http://{}/{path}", self.listening.control);
        let response = http::call(method, &url, body).await.context("ask the sink")?;
        ensure!(response.status == 200, "the sink answers {} to {path}", response.status);
        Ok(response.body)
    }
}

async fn postmaster(stack: &Stack) -> Result<Postmaster> {
    let url = format!("{}/postgres", stack.addresses().postgres);
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    Postmaster::of(&client).await
}
