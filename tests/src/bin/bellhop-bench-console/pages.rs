//! Every page, asked for again and again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::stage::Stage;
use crate::visit::{Asked, Visit};

/// From then on a page is asked for no more.
const PAGE_TIME_MAX: Duration = Duration::from_secs(60);

/// How often each is asked for before it counts.
const WARM_UP: usize = 5;

/// How long one page took, and how heavy it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) bytes: usize,
    /// With stylesheet, script and mark; none of what is no page.
    pub(crate) whole_bytes: Option<usize>,
}

/// Asks for each so many times, one at a time.
pub(crate) async fn measure(stage: &Stage, runs: usize) -> Result<Vec<Row>> {
    let mut visit = stage.visit().await?;
    let mut rows = Vec::new();
    for (name, asked) in asked(stage) {
        rows.push(row(&mut visit, name, &asked, runs).await.with_context(|| name.to_owned())?);
    }
    Ok(rows)
}

async fn row(visit: &mut Visit, name: &'static str, asked: &Asked, runs: usize) -> Result<Row> {
    for _ in 0..WARM_UP {
        visit.ask(asked).await?;
    }
    let (whole, mut times, mut page) = (Instant::now(), Vec::with_capacity(runs), bytes::Bytes::new());
    while times.len() < runs && whole.elapsed() < PAGE_TIME_MAX {
        let began = Instant::now();
        page = visit.ask(asked).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let at =
        |percent: usize| times.get(times.len() * percent / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    let (p50_ms, p99_ms, bytes) = (at(50), at(99), page.len());
    let whole_bytes = match asked {
        Asked::Page(_) | Asked::Form(_) => Some(bytes + visit.assets_bytes(&page).await?),
        Asked::Refresh(_) | Asked::Json(_) => None,
    };
    Ok(Row { name, p50_ms, p99_ms, bytes, whole_bytes })
}

fn asked(stage: &Stage) -> Vec<(&'static str, Asked)> {
    let page = |rest: &str| Asked::Page(format!("/console/live{rest}"));
    let webhook = |rest: &str| page(&format!("/webhooks/{}{rest}", stage.hot));
    let events = |query: &str| webhook(&format!("/events{query}"));
    let delivery = |rest: &str| format!("/deliveries/{}{rest}", stage.delivery);
    let reveal = delivery(&format!("/requests/{}/reveal", stage.request));
    let list = format!("/v1/webhooks/{}/deliveries", stage.hot);
    vec![
        ("floor: a page that looks nothing up", Asked::Page("/console/sign-in".to_owned())),
        ("floor: the REST API's list of deliveries", Asked::Json(list)),
        ("floor: the REST API's delivery", Asked::Json(format!("/v1{}", delivery("")))),
        ("Webhooks", page("/webhooks")),
        ("Add webhook", page("/webhooks/new")),
        ("Webhook", webhook("")),
        ("Webhook, charts of 30 days", webhook("?span=month")),
        ("Edit webhook", webhook("/edit")),
        ("Events", events("")),
        ("Events, what is new", Asked::Refresh(format!("/console/live/webhooks/{}/events", stage.hot))),
        ("Events, deep in the list", events(&format!("?cursor={}", stage.cursor))),
        ("Events in a rare state", events("?state=exhausted")),
        ("Events of a state that none has", events("?state=deferred")),
        ("Events of a type that none has", events("?type=appointment.cancelled")),
        ("Events of an appointment", events(&format!("?appointment={}", stage.appointment))),
        ("Events of an unknown appointment", events("?appointment=apt_unknown")),
        ("Events of the last 7 days", events("?within=7d")),
        ("Events by a hundred of statuses", events("?status=5xx")),
        ("Events by a status that few have", events("?status=503")),
        ("Events by a status that none has", events("?status=204")),
        ("Events by a failing status that none has", events("?status=404")),
        (
            "Events by all of it at once",
            events("?state=exhausted&type=appointment.scheduled&status=5xx&within=30d"),
        ),
        ("Delivery", page(&delivery(""))),
        ("Delivery, what is new", Asked::Refresh(format!("/console/live{}", delivery("")))),
        ("Payload", Asked::Form(format!("/console/live{reveal}"))),
        ("Redeliver", page(&delivery("/redeliver"))),
        ("Recover", webhook("/recover")),
        ("Recover, counted over a week", webhook(&stage.count_query)),
        ("Recoveries", webhook("/recoveries")),
        ("Recovery", page(&format!("/recoveries/{}", stage.recovery))),
        ("API keys", page("/keys")),
        ("Add an API key", page("/keys/new")),
        ("Audit", page("/audit")),
        ("Verify a signature", page("/verify")),
    ]
}
