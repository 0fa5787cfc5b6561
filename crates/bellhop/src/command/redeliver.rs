//! `bellhop redeliver`: owes one delivery again.

use std::path::Path;
use std::time::{Duration, Instant};

use bellhop_model::DeliveryId;
use bellhop_store::{LoggedDelivery, Overlap, OwedSeries, SeriesProgress, Store};
use clap::Args;
use serde_json::json;

use super::author::named;
use super::output::{ActorArguments, Output, OutputArguments};
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// How long it is waited for a recorder to publish what was asked for. It is published in any case.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether that has happened.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Which delivery.
#[derive(Debug, Args)]
pub(crate) struct RedeliverArguments {
    /// Its id (dlv_…).
    delivery: DeliveryId,
    /// Begin another series even while one is under way. The endpoint may then get the event from both.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    actor: ActorArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Asks for it, and waits a while until the broker has it.
pub(super) async fn run(file: Option<&Path>, arguments: RedeliverArguments) -> Result<(), Failure> {
    let RedeliverArguments { delivery, force, actor, output } = arguments;
    let config = Config::load(file, Needs::Store)?;
    let store = Store::open(&config.store()).map_err(anyhow::Error::new)?;
    let overlap = if force { Overlap::Forced } else { Overlap::Refused };
    let author = named(&actor);
    let LoggedDelivery { mode, organisation, .. } =
        store.delivery(&delivery).await.map_err(anyhow::Error::new)?;
    let organisation = store.organisation(mode, &organisation, &author);
    let owed = organisation.redeliver(&delivery, overlap).await.map_err(anyhow::Error::new)?;
    let progress = await_published(&store, &owed).await?;
    if output.output == Output::Json {
        let published = matches!(progress, SeriesProgress::Published(_));
        println!(
            "{}",
            json!({ "delivery": delivery.as_str(), "series": owed.series.0, "published": published })
        );
        return Ok(());
    }
    let series = owed.series;
    match progress {
        SeriesProgress::Published(_) => {
            println!("{delivery} is owed again: series {series} has its first attempt due");
        }
        SeriesProgress::Owed => {
            println!("{delivery} is owed again: series {series} begins as soon as a recorder publishes it");
            eprintln!(
                "bellhop: note: no recorder has published it within {PUBLISH_PATIENCE:?}; does one run, and may its user write to `bellhop.{}`?",
                owed.mode
            );
        }
        SeriesProgress::Withdrawn(_) => {
            return Err(anyhow::anyhow!("series {series} was withdrawn: its payload went meanwhile").into());
        }
    }
    Ok(())
}

async fn await_published(store: &Store, owed: &OwedSeries) -> Result<SeriesProgress, Failure> {
    let asked_at = Instant::now();
    loop {
        let all = store.series(&owed.delivery).await.map_err(anyhow::Error::new)?;
        let progress = all.iter().find(|series| series.series == owed.series).map(|series| series.progress);
        let progress = progress.unwrap_or(SeriesProgress::Owed);
        if progress != SeriesProgress::Owed || PUBLISH_PATIENCE <= asked_at.elapsed() {
            return Ok(progress);
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}
