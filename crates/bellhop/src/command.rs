//! The commands, one file each.

mod api;
mod author;
mod config;
mod console;
mod deliveries;
mod doctor;
mod events;
mod key;
mod listen;
mod migrate;
mod output;
mod parked;
mod publish;
mod recorder;
mod recover;
mod redeliver;
mod sealing;
mod service;
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
    /// Manage the keys by which organisations call the API.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Let somebody into the console without the platform.
    #[command(subcommand)]
    Console(console::ConsoleCommand),
    /// Look into the delivery log.
    #[command(subcommand)]
    Deliveries(deliveries::DeliveriesCommand),
    /// Deliver one delivery again: another series of three attempts.
    Redeliver(redeliver::RedeliverArguments),
    /// Deliver many of a webhook again, such as all that were exhausted since a moment, at a pace.
    Recover(recover::RecoverArguments),
    /// Look after what the log keeps of events.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Look into, put back or throw away what nobody could process.
    #[command(subcommand)]
    Parked(parked::ParkedCommand),
    /// Publish appointment events and wait until the broker has them.
    Publish(publish::PublishArguments),
    /// Deliver events until told to stop (SIGTERM or Ctrl-C).
    Worker,
    /// Write what happened from the log into PostgreSQL until told to stop (SIGTERM or Ctrl-C).
    Recorder,
    /// Serve the REST API and the console until told to stop (SIGTERM or Ctrl-C).
    Api,
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
            Self::Key(command) => key::run(config, command).await,
            Self::Console(command) => console::run(config, command).await,
            Self::Deliveries(command) => deliveries::run(config, command).await,
            Self::Redeliver(arguments) => redeliver::run(config, arguments).await,
            Self::Recover(arguments) => recover::run(config, arguments).await,
            Self::Events(command) => events::run(config, command).await,
            Self::Parked(command) => parked::run(config, command).await,
            Self::Publish(arguments) => publish::run(config, arguments).await,
            Self::Worker => worker::run(config).await,
            Self::Recorder => recorder::run(config).await,
            Self::Api => api::run(config).await,
            Self::Doctor(arguments) => doctor::run(config, arguments).await,
            Self::Listen(arguments) => listen::run(arguments).await,
            Self::Config => config::run(),
        }
    }
}
