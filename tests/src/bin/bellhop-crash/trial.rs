//! One row: a fault in the middle of a steady stream, and what came of the stream.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bellhop_tests::account::{Account, Balance};
use bellhop_tests::ground::Ground;
use bellhop_tests::stack::Stack;
use serde::Serialize;

use crate::conditions::Conditions;
use crate::publisher::Offered;
use crate::recorded::LogBalance;
use crate::rows::Row;
use crate::scene::{HEALTHY, Scene, owed};

/// What came of a row.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The row's name.
    pub(crate) name: &'static str,
    /// What the table calls it.
    pub(crate) words: &'static str,
    /// The figures; none when the row could not be brought to its end, for the reason given.
    pub(crate) figures: Result<Figures, String>,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// Everything that can be counted.
    pub(crate) balance: Balance,
    /// How many faults may have caught one delivery.
    pub(crate) faults: usize,
    /// From the fault until it was healed.
    pub(crate) fault_s: f64,
    /// From then until every event published before was taken by the webhooks that take everything at once.
    pub(crate) back_s: Option<f64>,
    /// From then until every delivery of those events was over, waits between attempts included.
    pub(crate) over_s: Option<f64>,
    /// Deliveries a second to the webhooks that take everything at once: before the fault, until it was healed, after it.
    pub(crate) deliveries_per_s: Vec<f64>,
    /// How long 99 of 100 deliveries to the webhooks that take everything at once were on their way, from when their events
    /// were first published: before the fault, until it was healed, after it.
    pub(crate) p99_s: Vec<Option<f64>>,
    /// The delivery log's balance, where a recorder ran.
    pub(crate) log: Option<LogBalance>,
}

impl Outcome {
    /// Whether every promise was kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.figures.as_ref().is_ok_and(|figures| figures.balance.breaches.is_empty())
    }
}

/// Tries one row.
///
/// * `logs`: a folder; the workers' logs are left there when a promise was broken.
pub(crate) async fn run(
    row: &'static Row,
    servers: (&Ground, &Arc<Stack>),
    conditions: &Conditions,
    logs: &Path,
) -> Outcome {
    let figures = try_row(row, servers, conditions, &logs.join(row.name)).await;
    Outcome { name: row.name, words: row.words, figures: figures.map_err(|error| format!("{error:#}")) }
}

async fn try_row(
    row: &Row,
    servers: (&Ground, &Arc<Stack>),
    conditions: &Conditions,
    logs: &Path,
) -> Result<Figures> {
    let binary = std::env::current_exe()?.with_file_name("bellhop");
    ensure!(binary.exists(), "{} is missing: `make crash` builds it", binary.display());
    let mut scene = Scene::set(servers, &binary, row.way, conditions).await.context("set the scene")?;
    let figures = measure(row, &mut scene).await;
    if !figures.as_ref().is_ok_and(|figures| figures.balance.breaches.is_empty()) {
        scene.write_logs(logs)?;
    }
    let figures = figures?;
    scene.clear().await.context("clear the scene away")?;
    Ok(figures)
}

async fn measure(row: &Row, scene: &mut Scene) -> Result<Figures> {
    let began = Instant::now();
    scene.hold().await;
    let struck = Instant::now();
    let faults = (row.strike)(scene).await.with_context(|| format!("strike: {}", row.words))?;
    let healed = Instant::now();
    scene.hold().await;
    let moments = [began, struck, healed, Instant::now()];
    let deliveries_per_s = scene.rates(&moments);
    let published = scene.publisher.finish().await?;
    let confirmed = published.iter().map(|offered| offered.id.clone());
    let owed = owed(confirmed.chain(scene.confirmed.iter().cloned()).collect());
    let (account, balance, log) = scene.settle(&owed, faults).await?;
    let before = || published.iter().filter(|offered| offered.at <= healed).map(|offered| &*offered.id);
    let everybody = [&owed.taking[..], &owed.refusing].concat();
    let after_healing = |last: Instant| last.saturating_duration_since(healed).as_secs_f64();
    Ok(Figures {
        balance,
        faults,
        fault_s: (healed - struck).as_secs_f64(),
        back_s: account.last_over(before(), &HEALTHY).map(after_healing),
        over_s: account.last_over(before(), &everybody).map(after_healing),
        deliveries_per_s,
        p99_s: moments.windows(2).map(|pair| p99_s(&account, &published, pair[0]..pair[1])).collect(),
        log,
    })
}

/// How long 99 of 100 deliveries were on their way whose events were first published within a span.
///
/// * returns none when one of them never arrived, or there were none.
fn p99_s(account: &Account, published: &[Offered], span: Range<Instant>) -> Option<f64> {
    let within = published.iter().filter(|offered| span.contains(&offered.at));
    let deliveries = within.flat_map(|offered| HEALTHY.map(|endpoint| (endpoint, offered)));
    let waits = deliveries.map(|(endpoint, Offered { id, at })| {
        Some(account.first(endpoint, id)?.saturating_duration_since(*at).as_secs_f64())
    });
    let mut waits: Vec<f64> = waits.collect::<Option<_>>()?;
    waits.sort_by(f64::total_cmp);
    waits.get((waits.len() * 99).div_ceil(100).checked_sub(1)?).copied()
}
