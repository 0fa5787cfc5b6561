//! Throwaway servers: one RabbitMQ, Redis and PostgreSQL, or some of them, through the script people use too.

mod ports;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};

pub(crate) use self::ports::free_ports;
use crate::ground::Ground;
use crate::tree;

/// The names of the ports that the script wants.
const PORTS: [&str; 8] = [
    "BELLHOP_STACK_AMQP_PORT",
    "BELLHOP_STACK_MANAGEMENT_PORT",
    "BELLHOP_STACK_PROMETHEUS_PORT",
    "BELLHOP_STACK_REDIS_PORT",
    "BELLHOP_STACK_POSTGRES_PORT",
    "BELLHOP_STACK_DIST_PORT",
    "BELLHOP_STACK_EPMD_PORT",
    "BELLHOP_STACK_OBSERVE_PORT",
];

/// One of the three servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// RabbitMQ, with its own Erlang port mapper.
    Rabbitmq,
    /// Redis.
    Redis,
    /// PostgreSQL.
    Postgres,
}

/// Servers that run until this value is dropped. When the program dies first, the script's guard ends them.
#[derive(Debug)]
pub struct Stack {
    variables: BTreeMap<String, String>,
    addresses: Addresses,
    services: Vec<Service>,
}

/// Where the servers are and who may log in. What was not started has an address at which nothing listens.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// `amqp://user:password@host:port`, without a virtual host.
    pub amqp: String,
    /// `http://user:password@host:port` of RabbitMQ's management.
    pub management: String,
    /// `host:port` of RabbitMQ's metrics.
    pub metrics: String,
    /// `redis://:password@host:port`, without a database.
    pub redis: String,
    /// `postgres://user:password@host:port`, without a database.
    pub postgres: String,
    /// The key that secrets are sealed with.
    pub sealing_key: String,
    /// The addresses that endpoints of this machine have.
    pub allow_cidrs: String,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 3] = [Self::Rabbitmq, Self::Redis, Self::Postgres];

    /// The word the script knows it by.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rabbitmq => "rabbitmq",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
        }
    }
}

impl Stack {
    /// Starts servers on free ports and waits until they answer, which takes some 6 seconds.
    ///
    /// # Errors
    /// With the script's own words, which include the end of the server's log.
    pub async fn start(ground: &Ground, services: &[Service]) -> Result<Self> {
        Self::start_in(&ground.stack_folder(), services, &[]).await
    }

    /// The same in a given folder.
    ///
    /// * `settings`: variables of the script that beat the usual ones.
    ///
    /// # Errors
    /// With the script's own words.
    pub(crate) async fn start_in(
        folder: &Path,
        services: &[Service],
        settings: &[(&str, String)],
    ) -> Result<Self> {
        let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
        let mut variables = own_variables(folder);
        variables.insert("BELLHOP_STACK_SERVICES".to_owned(), names.join(" "));
        variables.insert("BELLHOP_STACK_OWNER".to_owned(), std::process::id().to_string());
        for (name, port) in PORTS.iter().zip(free_ports(PORTS.len())?) {
            variables.insert((*name).to_owned(), port.to_string());
        }
        variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        run(&variables, &["up"]).await?;
        let metrics = format!("127.0.0.1:{}", variables["BELLHOP_STACK_PROMETHEUS_PORT"]);
        let addresses = Addresses::parse(&run(&variables, &["env"]).await?, metrics)?;
        Ok(Self { variables, addresses, services: services.to_vec() })
    }

    /// Where the servers are.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Which servers were started.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Where its servers are, and for those that it has not, where another stack's are.
    #[must_use]
    pub fn addresses_among(&self, others: Addresses) -> Addresses {
        let own = self.addresses.clone();
        self.services.iter().fold(others, |addresses, service| match service {
            Service::Rabbitmq => Addresses {
                amqp: own.amqp.clone(),
                management: own.management.clone(),
                metrics: own.metrics.clone(),
                ..addresses
            },
            Service::Redis => Addresses { redis: own.redis.clone(), ..addresses },
            Service::Postgres => Addresses { postgres: own.postgres.clone(), ..addresses },
        })
    }

    /// Starts a server that was stopped or killed, and waits until it answers.
    ///
    /// # Errors
    /// With the script's own words.
    pub async fn revive(&self, service: Service) -> Result<()> {
        self.act("start", service).await
    }

    /// Stops a server in an orderly way and waits until it is gone.
    ///
    /// # Errors
    /// With the script's own words.
    pub async fn stop(&self, service: Service) -> Result<()> {
        self.act("stop", service).await
    }

    /// Stops a server in an orderly way, starts it again and waits until it answers.
    ///
    /// # Errors
    /// With the script's own words.
    pub async fn restart(&self, service: Service) -> Result<()> {
        self.act("restart", service).await
    }

    /// Kills all of a server's processes and waits until they are gone.
    ///
    /// # Errors
    /// With the script's own words.
    pub async fn kill(&self, service: Service) -> Result<()> {
        self.act("kill", service).await
    }

    /// Halts a server: it is there, its connections stay, and it is silent.
    ///
    /// # Errors
    /// With the script's own words.
    pub async fn pause(&self, service: Service) -> Result<()> {
        self.act("pause", service).await
    }

    /// Lets a halted server go on.
    ///
    /// # Errors
    /// With the script's own words.
    pub async fn resume(&self, service: Service) -> Result<()> {
        self.act("resume", service).await
    }

    /// Runs `rabbitmqctl` against this stack's node.
    ///
    /// # Errors
    /// With the tool's own words.
    pub async fn ctl(&self, arguments: &[&str]) -> Result<String> {
        run(&self.variables, &[&["ctl"], arguments].concat()).await
    }

    /// Starts Prometheus beside the servers, as `make observe` does.
    ///
    /// * returns its URL, without a slash at the end.
    ///
    /// # Errors
    /// With the script's own words.
    pub async fn observe(&self) -> Result<String> {
        run(&self.variables, &["observe"]).await?;
        Ok(format!("http://127.0.0.1:{}", self.variables["BELLHOP_STACK_OBSERVE_PORT"]))
    }

    /// Stops everything, as `make down` does.
    ///
    /// # Errors
    /// With the script's own words.
    pub async fn down(&self) -> Result<()> {
        run(&self.variables, &["down"]).await.map(drop)
    }

    async fn act(&self, command: &str, service: Service) -> Result<()> {
        run(&self.variables, &[command, service.as_str()]).await.map(drop)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Err(error) = destroy(Path::new(&self.variables["BELLHOP_STACK_DIR"])) {
            eprintln!("could not destroy a stack: {error:#}");
        }
    }
}

impl Addresses {
    /// Reads the lines `export NAME='value'` that the script prints.
    fn parse(printed: &str, metrics: String) -> Result<Self> {
        let variables: BTreeMap<&str, &str> = printed
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name, value.trim_matches('\'')))
            .collect();
        let value = |name: &str| {
            variables.get(name).copied().with_context(|| format!("`stack env` does not print {name}"))
        };
        let server = |name: &str| {
            let url = value(name)?;
            let (server, _database) =
                url.rsplit_once('/').with_context(|| format!("{name} names a database"))?;
            anyhow::Ok(server.to_owned())
        };
        Ok(Self {
            amqp: server("BELLHOP_AMQP_URL")?,
            management: value("BELLHOP_RABBITMQ_MANAGEMENT_URL")?.to_owned(),
            metrics,
            redis: server("BELLHOP_REDIS_URL")?,
            postgres: server("BELLHOP_POSTGRES_URL")?,
            sealing_key: value("BELLHOP_SEALING_KEY")?.to_owned(),
            allow_cidrs: value("BELLHOP_SENDER_ALLOW_CIDRS")?.to_owned(),
        })
    }
}

/// Kills whatever runs on a stack's folder and empties it; a folder without servers is no error.
///
/// Blocks for some 0.2 s, so that it can be called while the program ends.
///
/// # Errors
/// With the script's own words.
pub fn destroy(folder: &Path) -> Result<()> {
    let output = command(&own_variables(folder), &["destroy"]).output().context("run deploy/local/stack")?;
    checked(&output, &["destroy"]).map(drop)
}

fn own_variables(folder: &Path) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("BELLHOP_STACK_ENGINE".to_owned(), "native".to_owned()),
        ("BELLHOP_STACK_DIR".to_owned(), folder.display().to_string()),
        ("BELLHOP_STACK_DURABLE".to_owned(), "0".to_owned()),
    ])
}

async fn run(variables: &BTreeMap<String, String>, arguments: &[&str]) -> Result<String> {
    let mut command = tokio::process::Command::from(command(variables, arguments));
    let output = command.kill_on_drop(true).output().await.context("run deploy/local/stack")?;
    checked(&output, arguments)
}

/// No variable of the caller's own stack gets through.
fn command(variables: &BTreeMap<String, String>, arguments: &[&str]) -> Command {
    let script: PathBuf = tree::repository().join("deploy/local/stack");
    let mut command = Command::new(script);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BELLHOP_") {
            command.env_remove(name);
        }
    }
    command.envs(variables).args(arguments.iter().map(OsStr::new)).stdin(Stdio::null());
    command
}

fn checked(output: &Output, arguments: &[&str]) -> Result<String> {
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "deploy/local/stack {}: {}", arguments.join(" "), told.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
