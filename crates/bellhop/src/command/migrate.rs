//! `bellhop migrate`: brings the tables in PostgreSQL up to date.

use std::path::Path;

use bellhop_store::Store;

use crate::config::{Config, Needs};
use crate::failure::Failure;

/// Applies what is missing.
pub(super) async fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Store)?;
    let store = Store::open(&config.store()).map_err(anyhow::Error::new)?;
    let applied = store.migrate().await.map_err(anyhow::Error::new)?;
    store.verify_sealing_keys().await.map_err(anyhow::Error::new)?;
    if applied.is_empty() {
        println!("the tables are up to date");
    }
    for migration in applied {
        println!("applied {migration}");
    }
    Ok(())
}
