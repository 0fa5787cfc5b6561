//! The one binary: a thin command line over the libraries.

mod command;
mod commit;
mod config;
mod failure;

use std::process::ExitCode;

use clap::Parser;

use crate::command::Command;
use crate::failure::Failure;

/// Bellhop carries appointment events to the webhooks that organisations registered.
#[derive(Debug, Parser)]
#[command(name = "bellhop", version, about, max_term_width = 110)]
struct CommandLine {
    /// The configuration file; without it, defaults and environment variables apply.
    #[arg(long, global = true, env = "BELLHOP_CONFIG", value_name = "FILE")]
    config: Option<std::path::PathBuf>,

    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let CommandLine { config, command } = CommandLine::parse();
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nothing installed a TLS provider before the first line of main");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(command.run(config.as_deref())),
        Err(error) => Err(Failure::from(anyhow::Error::new(error).context("failed to start the runtime"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bellhop: {failure}");
            failure.exit_code()
        }
    }
}
