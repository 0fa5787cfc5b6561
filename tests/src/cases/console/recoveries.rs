//! Many deliveries made again, by the dialog.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use super::logged::Logged;
use crate::context::Context;
use crate::patience::eventually;
use crate::receiver::Answer;

/// So many that a recovery at one a second is not over before it is stopped.
const DELIVERIES: i64 = 30;

/// Counted first, and nothing is sent; begun, watched, stopped; then the rest, each delivery once.
pub async fn many_are_counted_first_then_made_again(context: Context) -> Result<()> {
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let mut logged = Logged::prepare_at(&context, &endpoint.url).await?;
    logged.exhausted(DELIVERIES).await?;
    let site = &logged.console.site;
    let (worker, _recorder) = tokio::try_join!(site.worker(), site.recorder())?;
    let dialog = logged.path("/recover");
    let opened = logged.tab.get(&dialog).await?.of(200)?;
    opened.says(&["Count"])?.keeps_quiet_about(&["Start recovery"])?;
    let wrong = logged.tab.get(&format!("{dialog}?since=x&pace=101")).await?.of(422)?;
    wrong.says(&["id=\"since-error\"", "id=\"states-error\"", "id=\"pace-error\""])?;

    let query = "since=2020-01-01T00:00&states=exhausted&states=cancelled&pace=1";
    let counted = logged.tab.get(&format!("{dialog}?{query}")).await?.of(200)?;
    counted.says(&["30 events are as asked for", "about 30 seconds", "Start recovery of 30"])?;
    let nothing =
        logged.tab.get(&format!("{dialog}?since=2020-01-01T00:00&states=delivered")).await?.of(200)?;
    nothing.says(&["No event is as asked for"])?.keeps_quiet_about(&["Start recovery"])?;
    ensure!(endpoint.requests().is_empty() && logged.acts("recovery.begun").await?.is_empty(), "it began");

    let fields =
        [("since", "2020-01-01T00:00"), ("states", "exhausted"), ("states", "cancelled"), ("pace", "1")];
    let begun = logged.tab.submit(&dialog, &fields).await?.of(303)?;
    let page = begun.header("location").split('?').next().context("where it is watched")?.to_owned();
    let watched = logged.tab.follow(&begun).await?.of(200)?;
    watched.says(&["The recovery has begun.", "<progress", "data-refresh=\"3\"", "Stop the recovery"])?;
    let second = logged.tab.submit(&dialog, &fields).await?.of(409)?;
    second.says(&["A recovery is under way", &page])?;
    endpoint.await_requests(1).await?;
    let stopped = logged.tab.submit(&format!("{page}/cancel"), &[]).await?.of(303)?;
    logged.tab.follow(&stopped).await?.of(200)?.says(&["The recovery is stopped.", "Cancelled"])?;
    logged.tab.submit(&format!("{page}/cancel"), &[]).await?.of(409)?.says(&["has ended already"])?;

    let rest = [("since", "2020-01-01T00:00"), ("states", "exhausted"), ("pace", "100")];
    let rest = logged.tab.submit(&dialog, &rest).await?.of(303)?;
    let rest = rest.header("location").split('?').next().context("where it is watched")?.to_owned();
    let tab = logged.tab.clone();
    let look = async || {
        let shown = tab.clone().get_with(&rest, &[("bellhop-refresh", "1")]).await?.of(200)?;
        Ok(shown.text.contains("data-says=\"done\"").then_some(shown))
    };
    let done = eventually("the recovery of the rest to be done", look).await?;
    done.says(&["Done", "Every event had its turn"])?.keeps_quiet_about(&["data-refresh", "<html"])?;
    let requests = endpoint.await_requests(usize::try_from(DELIVERIES)?).await?;
    let events: BTreeSet<&str> = requests.iter().map(|request| request.webhook_id()).collect();
    ensure!(events.len() == requests.len() && requests.len() == usize::try_from(DELIVERIES)?, "{requests:?}");

    let list = logged.tab.get(&logged.path("/recoveries")).await?.of(200)?;
    list.says(&[&page, &rest, "Cancelled", "Done"])?;
    let acts = logged.acts("recovery.begun").await?;
    ensure!(acts.len() == 2 && acts.iter().all(|(_, by)| by == "user"), "{acts:?}");
    ensure!(logged.acts("recovery.cancelled").await?.len() == 1);
    site.ensure_nothing_owed(worker).await
}
