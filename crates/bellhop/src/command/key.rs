//! `bellhop key …`: manages the keys by which organisations call the API.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bellhop_model::{ApiKeyId, KeyNameError, Mode, OrganisationId, Role, check_key_name};
use bellhop_store::{NewKey, RegisteredKey, Store, StoredKey};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::command::author::at_the_shell;
use crate::command::output::{Output, OutputArguments};
use crate::command::sealing::ensure_keys_fit;
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// What can be done to keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and print it, once.
    Create(CreateArguments),
    /// List an organisation's keys.
    List(ListArguments),
    /// Have a key open nothing any more.
    Revoke(RevokeArguments),
}

/// Whose keys.
#[derive(Debug, Args)]
struct WhoseArguments {
    /// live, or test for Test Mode.
    #[arg(long)]
    mode: Mode,
    /// Whose key it is (org_…).
    #[arg(long)]
    organisation: OrganisationId,
}

/// What a key is made with.
#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    whose: WhoseArguments,
    /// administrator (webhooks, keys, audit) or developer (webhooks).
    #[arg(long, default_value = "administrator")]
    role: Role,
    /// What a person calls it: 1 to 100 characters, none of them a control character.
    #[arg(long, default_value = "made at the shell", value_parser = read_name)]
    name: String,
    /// How many days it opens; for ever without it.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    expires_in: Option<u32>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which keys are listed.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    whose: WhoseArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which key.
#[derive(Debug, Args)]
pub(crate) struct RevokeArguments {
    #[command(flatten)]
    whose: WhoseArguments,
    /// Its id (key_…).
    id: ApiKeyId,
    #[command(flatten)]
    output: OutputArguments,
}

/// Carries a command out.
pub(super) async fn run(file: Option<&Path>, command: KeyCommand) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Store)?;
    let store = Store::open(&config.store()).map_err(anyhow::Error::new)?;
    match command {
        KeyCommand::Create(arguments) => create(&store, arguments).await,
        KeyCommand::List(arguments) => list(&store, arguments).await,
        KeyCommand::Revoke(RevokeArguments { whose, id, output }) => {
            let author = at_the_shell();
            let organisation = store.organisation(whose.mode, &whose.organisation, &author);
            let stored = organisation.revoke_key(&id).await.map_err(anyhow::Error::new)?;
            print(&stored, &output);
            Ok(())
        }
    }
}

async fn create(store: &Store, arguments: CreateArguments) -> Result<(), Failure> {
    let CreateArguments { whose, role, name, expires_in, output } = arguments;
    if let Role::Other(role) = &role {
        eprintln!("bellhop: note: the role `{role}` opens nothing: only administrator and developer do");
    }
    let lifetime = expires_in.map(|days| Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    let author = at_the_shell();
    let organisation = store.organisation(whose.mode, &whose.organisation, &author);
    ensure_keys_fit(store).await?;
    let made = organisation.create_key(&NewKey { role, name, lifetime }).await;
    let RegisteredKey { stored, key } = made.map_err(anyhow::Error::new).context("failed to make the key")?;
    match output.output {
        Output::Text => {
            print(&stored, &output);
            println!("key        {}", key.expose());
            println!("Note the key now: it is not shown again. Send it as the header Authorization.");
        }
        Output::Json => {
            let mut object = describe(&stored);
            object["key"] = Value::from(key.expose());
            println!("{object}");
        }
    }
    Ok(())
}

async fn list(store: &Store, arguments: ListArguments) -> Result<(), Failure> {
    let ListArguments { whose, output } = arguments;
    let author = at_the_shell();
    let organisation = store.organisation(whose.mode, &whose.organisation, &author);
    let mut keys: Vec<StoredKey> = Vec::new();
    loop {
        let after = keys.last().map(|key| key.id.clone());
        let page = organisation.keys(after.as_ref(), bellhop_store::LIST_PAGE_MAX).await;
        let page = page.map_err(anyhow::Error::new)?;
        if page.is_empty() {
            break;
        }
        keys.extend(page);
    }
    match output.output {
        Output::Json => println!("{}", Value::Array(keys.iter().map(describe).collect())),
        Output::Text if keys.is_empty() => println!("no keys; make one with `bellhop key create`"),
        Output::Text => {
            for key in &keys {
                let used = key.last_used_at.map_or_else(|| "never used".to_owned(), moment);
                println!("{}  {:<8}  {:<13}  {used}  {}", key.id, status(key), key.role, key.name);
            }
        }
    }
    Ok(())
}

fn read_name(text: &str) -> Result<String, KeyNameError> {
    check_key_name(text).map(|()| text.to_owned())
}

fn print(key: &StoredKey, output: &OutputArguments) {
    if output.output == Output::Json {
        println!("{}", describe(key));
        return;
    }
    println!("id         {}", key.id);
    println!("role       {}", key.role);
    println!("name       {}", key.name);
    println!("status     {}", status(key));
    println!("expires    {}", key.expires_at.map_or_else(|| "never".to_owned(), moment));
    println!("last used  {}", key.last_used_at.map_or_else(|| "never".to_owned(), moment));
}

fn describe(key: &StoredKey) -> Value {
    json!({
        "id": key.id.as_str(),
        "role": key.role.as_str(),
        "name": key.name,
        "status": status(key),
        "createdAt": moment(key.created_at),
        "expiresAt": key.expires_at.map(moment),
        "revokedAt": key.revoked_at.map(moment),
        "lastUsedAt": key.last_used_at.map(moment),
    })
}

fn status(key: &StoredKey) -> &'static str {
    match (key.revoked_at, key.is_expired) {
        (Some(_), _) => "revoked",
        (None, true) => "expired",
        (None, false) => "active",
    }
}

fn moment(moment: OffsetDateTime) -> String {
    moment.format(&Rfc3339).unwrap_or_default()
}
