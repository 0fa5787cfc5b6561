//! What is measured: throwaway servers with a place on them, and connections beside the program's.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use bellhop_store::{SealingKeys, ServerUrl, Store, StoreOptions};
use bellhop_tests::amqp::Amqp;
use bellhop_tests::ground::Ground;
use bellhop_tests::machine::Machine;
use bellhop_tests::measuring::role::Role;
use bellhop_tests::operator::{Operator, Registration};
use bellhop_tests::place::Place;
use bellhop_tests::stack::{Service, Stack};
use tokio::process::Command;
use tokio_postgres::Client;

/// The core that the recorder runs on.
const CORE: &str = "0";

/// Everything ends with it.
pub(crate) struct Stage {
    /// Where the servers' queues and tables are.
    pub(crate) place: Place,
    /// The tables, as the program reads and writes them.
    pub(crate) store: Store,
    /// The tables, by SQL of this program's own.
    pub(crate) tables: Client,
    /// The queues.
    pub(crate) amqp: Amqp,
    /// The webhook that half of all requests go to.
    pub(crate) hot: String,
    /// Where this runs.
    pub(crate) machine: Machine,
    binary: PathBuf,
    folder: PathBuf,
    _stack: Stack,
    _ground: Ground,
}

impl Stage {
    /// Starts everything; some 15 s.
    pub(crate) async fn set(folder: &Path) -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("bellhop");
        ensure!(binary.exists(), "{} is missing: `make bench-log` builds it", binary.display());
        let ground = Ground::prepare()?;
        let stack = Stack::start(&ground, &Service::ALL).await?;
        let machine = Machine::describe(&stack).await?;
        let place = Place::make(stack.addresses().clone(), &[]).await?;
        let operator = Operator::new(&binary, &place);
        operator.prepare().await?;
        let hot = Registration { mode: "live", ..Registration::test("https://hooks.example.com/hot") };
        let hot = operator.register(&hot).await?.id;
        let keys = SealingKeys::parse(&stack.addresses().sealing_key)?;
        let (postgres, redis) = (ServerUrl::new(place.postgres_url()), ServerUrl::new(place.redis_url()));
        let store = Store::open(&StoreOptions::new(postgres, redis, keys))?;
        let tables = place.postgres().await?;
        let amqp = Amqp::connect(&place.amqp_url()).await?;
        let folder = folder.to_owned();
        Ok(Self { place, store, tables, amqp, hot, machine, binary, folder, _stack: stack, _ground: ground })
    }

    /// Starts a recorder on a core of its own.
    pub(crate) fn recorder(&self) -> Result<Role> {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", CORE]).arg(&self.binary).arg("recorder").envs(self.place.environment());
        Role::start("recorder", &command, &self.folder.join("recorder.log"))
    }

    /// How many rows a table has; a condition may follow its name.
    pub(crate) async fn count(&self, table: &str) -> Result<u64> {
        let row = self.tables.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }
}
