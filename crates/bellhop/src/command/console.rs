//! `bellhop console …`: lets somebody into the console without the platform, for trials and for whoever operates it.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bellhop_model::{Actor, Mode, OrganisationId, Role};
use bellhop_store::{NewSignIn, Store};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::command::author::at_the_shell;
use crate::command::output::{Output, OutputArguments, moment};
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// What can be done about the console.
#[derive(Debug, Subcommand)]
pub(crate) enum ConsoleCommand {
    /// Make a link that signs somebody in, once, and print it.
    SignIn(SignInArguments),
}

/// Who is signed in, and where.
#[derive(Debug, Args)]
pub(crate) struct SignInArguments {
    /// The mode that is seen first: live, or test for Test Mode. Both are open.
    #[arg(long, default_value = "test")]
    mode: Mode,
    /// The organisation whose webhooks are seen (org_…).
    #[arg(long)]
    organisation: OrganisationId,
    /// administrator (webhooks, keys, audit) or developer (webhooks).
    #[arg(long, default_value = "administrator")]
    role: Role,
    /// What the console and the audit call the user.
    #[arg(long, value_name = "NAME", env = "USER", default_value = "somebody at a command line")]
    user: Actor,
    /// How many seconds the link opens; `sign_in_lifetime` of the configuration without it.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..=3600))]
    opens_for: Option<u64>,
    /// Where the console is, as a browser sees it; this machine's, at the port of `[api] listen`, without it.
    #[arg(long, value_name = "URL")]
    address: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Carries a command out.
pub(super) async fn run(file: Option<&Path>, command: ConsoleCommand) -> Result<(), Failure> {
    let ConsoleCommand::SignIn(arguments) = command;
    let config = Config::load(file, Needs::Store)?;
    let store = Store::open(&config.store()).map_err(anyhow::Error::new)?;
    let SignInArguments { mode, organisation, role, user, opens_for, address, output } = arguments;
    if let Role::Other(role) = &role {
        eprintln!("bellhop: note: the role `{role}` opens nothing: only administrator and developer do");
    }
    let lifetime = opens_for.map_or(config.api.sign_in_lifetime, Duration::from_secs);
    // A browser takes the console's cookie over plain HTTP from this name of its own machine.
    let address = address.unwrap_or_else(|| format!("http://localhost:{}", config.api.listen.port()));
    let new = NewSignIn { role, user: user.as_str().to_owned(), lifetime };
    let author = at_the_shell();
    let minted = store.organisation(mode, &organisation, &author).mint_sign_in(&new).await;
    let minted = minted.map_err(anyhow::Error::new).context("failed to make the link")?;
    let link = format!("{}/console/sign-in?token={}", address.trim_end_matches('/'), minted.token);
    match output.output {
        Output::Text => println!("{link}"),
        Output::Json => println!("{}", json!({ "link": link, "expiresAt": moment(minted.expires_at) })),
    }
    Ok(())
}
