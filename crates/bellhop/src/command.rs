//! The commands, one file each.

mod config;
mod deliveries;
mod doctor;
mod listen;
mod migrate;
mod publish;
mod recorder;
mod topology;
mod webhook;
mod worker;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Failure;

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Declare exchanges, queues and bindings on the broker; harmless to repeat.
    Topology,
    /// Create or update the tables in PostgreSQL; harmless to repeat.
    Migrate,
    /// Manage webhooks.
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// Look into the delivery log.
    #[command(subcommand)]
    Deliveries(deliveries::DeliveriesCommand),
    /// Publish appointment events and wait until the broker has them.
    Publish(publish::PublishArguments),
    /// Deliver events until told to stop (SIGTERM or Ctrl-C).
    Worker,
    /// Write what happened from the log into PostgreSQL until told to stop (SIGTERM or Ctrl-C).
    Recorder,
    /// Check brokers, policies, permissions, versions, clocks and stores, and say how to mend what is wrong.
    Doctor(doctor::DoctorArguments),
    /// Receive webhooks locally: verify signatures, print what arrives, answer as told.
    Listen(listen::ListenArguments),
    /// Print the configuration's reference: every key with meaning, range and default.
    Config,
}

impl Command {
    pub(crate) async fn run(self, config: Option<&Path>) -> Result<(), Failure> {
        match self {
            Self::Topology => topology::run(config).await,
            Self::Migrate => migrate::run(config).await,
            Self::Webhook(command) => webhook::run(config, command).await,
            Self::Deliveries(command) => deliveries::run(config, command).await,
            Self::Publish(arguments) => publish::run(config, arguments).await,
            Self::Worker => worker::run(config).await,
            Self::Recorder => recorder::run(config).await,
            Self::Doctor(arguments) => doctor::run(config, arguments).await,
            Self::Listen(arguments) => listen::run(arguments).await,
            Self::Config => config::run(),
        }
    }
}
