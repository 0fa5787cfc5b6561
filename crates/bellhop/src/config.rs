//! The configuration of every process: one struct per concern, all problems reported together.
//!
//! Every command reads every section, so that a misspelt key is found by whichever command runs first; what a command
//! needs and does not find it names itself.

mod adapters;
mod event_types;
mod management;
pub(crate) use management::ManagementAddress;
mod recording;
mod serving;
mod work;

use std::path::Path;

use bellhop_api::ApiOptions;
use bellhop_broker::BrokerAddress;
use bellhop_model::Catalogue;
use bellhop_producer::ProducerOptions;
use bellhop_recorder::RecorderOptions;
use bellhop_runtime::config::{ConfigError, Settings};
use bellhop_runtime::logs::LogConfig;
use bellhop_runtime::probes::ProbeConfig;
use bellhop_runtime::shutdown::ShutdownConfig;
use bellhop_sender::SenderOptions;
use bellhop_store::StoreOptions;
use bellhop_worker::WorkerOptions;

/// Variables that are for somebody else: this program's own flags, the local stack, the build.
const NOT_SETTINGS: [&str; 4] =
    ["BELLHOP_CONFIG", "BELLHOP_COMMIT", "BELLHOP_STACK_*", "BELLHOP_LISTEN_PORT"];

/// What a command needs to be told; the others may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The broker.
    Broker,
    /// PostgreSQL, Redis and the sealing keys.
    Store,
    /// Broker and store.
    Everything,
    /// Nothing but what has defaults.
    Nothing,
}

/// The whole configuration; nothing in it can be invalid.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) broker: Option<BrokerAddress>,
    pub(crate) management: Option<ManagementAddress>,
    pub(crate) store: Option<StoreOptions>,
    pub(crate) sender: SenderOptions,
    pub(crate) worker: WorkerOptions,
    pub(crate) recorder: RecorderOptions,
    pub(crate) producer: ProducerOptions,
    pub(crate) catalogue: Catalogue,
    pub(crate) api: ApiOptions,
    pub(crate) logs: LogConfig,
    pub(crate) probes: ProbeConfig,
    pub(crate) shutdown: ShutdownConfig,
}

impl Config {
    /// Loads the configuration for a command.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub(crate) fn load(file: Option<&Path>, needs: Needs) -> Result<Self, ConfigError> {
        let mut settings = Settings::load(file, std::env::vars_os())?;
        settings.ignore(&NOT_SETTINGS);
        let config = Self::read(&mut settings, needs);
        settings.finish()?;
        Ok(config)
    }

    /// The documented reference file: every key with meaning, range and default.
    pub(crate) fn reference() -> String {
        let mut settings = Settings::defaults();
        Self::read(&mut settings, Needs::Nothing);
        settings.reference()
    }

    /// The broker's address, which the command said it needs.
    pub(crate) fn broker(&self) -> BrokerAddress {
        self.broker.clone().expect("loading failed unless the broker was given")
    }

    /// The store's options, which the command said it needs.
    pub(crate) fn store(&self) -> StoreOptions {
        self.store.clone().expect("loading failed unless the store was given")
    }

    fn read(settings: &mut Settings, needs: Needs) -> Self {
        let (broker, shards) =
            adapters::read_broker(settings, matches!(needs, Needs::Broker | Needs::Everything));
        let management = management::read_management(settings);
        let store = adapters::read_store(settings, matches!(needs, Needs::Store | Needs::Everything));
        let sender = adapters::read_sender(settings);
        let ladder = work::read_ladder(settings);
        let worker = work::read_worker(settings, ladder, shards);
        let recorder = recording::read_recorder(settings, shards);
        let producer = work::read_producer(settings);
        let catalogue = event_types::read_catalogue(settings);
        let api = serving::read_api(settings, &sender.allowed, catalogue.clone());
        let logs = LogConfig::read(settings);
        let probes = ProbeConfig::read(settings);
        let shutdown = ShutdownConfig::read(settings);
        work::check_deadlines(settings, &sender, shutdown);
        Self {
            broker,
            management,
            store,
            sender,
            worker,
            recorder,
            producer,
            catalogue,
            api,
            logs,
            probes,
            shutdown,
        }
    }
}
