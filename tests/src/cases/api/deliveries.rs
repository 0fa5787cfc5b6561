//! What organisations learn of their deliveries and events, and what they have made again or removed.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Decided, Mode, Records, Role, WebhookId};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::ground::Ground;
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED};
use crate::cases::recording::records::{Told, seven_deliveries};
use crate::context::Context;
use crate::patience::eventually;
use crate::receiver::Answer;

/// How many deliveries there are.
const DELIVERIES: i64 = 7;

/// The appointment of [`APPOINTMENT`].
const KNOWN: &str = "apt_0JtGSvLh2oKx3fWcYq";

/// Deliveries a minute apart: the odd ones delivered, the fourth exhausted by a 503, the sixth of another appointment.
pub async fn deliveries_and_events_are_found_by_what_they_are(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let (webhook, now) = told_deliveries(&ground).await?;
    let since = (now - Duration::seconds(90)).format(&Rfc3339)?;
    let all = ["evt-0", "evt-1", "evt-2", "evt-3", "evt-4", "evt-5", "evt-6"];
    let cases: [(&str, &[&str]); 12] = [
        ("", &all),
        ("?type=appointment.scheduled", &all),
        ("?type=appointment.cancelled", &[]),
        ("?state=delivered", &["evt-1", "evt-3", "evt-5"]),
        ("?state=exhausted", &["evt-4"]),
        ("?status=5xx", &["evt-0", "evt-2", "evt-4", "evt-6"]),
        ("?status=500", &["evt-0", "evt-2", "evt-6"]),
        ("?status=503", &["evt-4"]),
        ("?status=2xx&limit=2", &["evt-1", "evt-3"]),
        (&format!("?since={since}"), &["evt-0", "evt-1"]),
        (&format!("?until={since}&state=delivered"), &["evt-3", "evt-5"]),
        ("?appointment=apt_other", &["evt-6"]),
    ];
    let path = format!("/v1/webhooks/{webhook}/deliveries");
    for (query, expected) in cases {
        let found = ground.api.get(&ground.key, &format!("{path}{query}")).expect(200).await?;
        ensure!(names(&found.body, "event")? == expected, "{query} finds {}", found.text);
        ensure!(!found.text.contains("Zo"), "health data: {}", found.text);
    }
    let exhausted = ground.api.get(&ground.key, &format!("{path}?status=503")).expect(200).await?.body;
    ensure!(exhausted["data"][0]["status"] == 503 && exhausted["data"][0]["reason"] == "attempts_failed");
    for query in
        ["state=lost", "status=1xx", "type=x", "since=today", "appointment=%00", "cursor=x", "page=1"]
    {
        let refused = ground.api.get(&ground.key, &format!("{path}?{query}")).expect(400).await?;
        let field = query.split('=').next().filter(|field| *field != "page").unwrap_or("query");
        ensure!(refused.fields() == [field], "{query}: {}", refused.text);
    }

    let events = |query: &str| ground.api.get(&ground.key, &format!("/v1/events{query}")).expect(200);
    ensure!(names(&events("").await?.body, "id")? == all);
    ensure!(names(&events("?appointment=apt_other").await?.body, "id")? == ["evt-6"]);
    ensure!(
        names(&events(&format!("?appointment={KNOWN}&since={since}")).await?.body, "id")?
            == ["evt-0", "evt-1"]
    );
    let first = events("?limit=4").await?;
    let rest = events(&format!("?limit=4&cursor={}", first.text_of("next")?)).await?;
    ensure!(
        [names(&first.body, "id")?, names(&rest.body, "id")?].concat() == all,
        "{} {}",
        first.text,
        rest.text
    );
    let one = ground.api.get(&ground.key, "/v1/events/evt-4").expect(200).await?.body;
    ensure!(one["appointment"] == KNOWN && one["deliveries"][0]["webhook"] == webhook.as_str(), "{one}");
    Ok(())
}

/// More begin between the pages, before all that is shown and amid it.
pub async fn pages_show_every_delivery_once_while_more_begin(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let (webhook, now) = told_deliveries(&ground).await?;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let path = format!("/v1/webhooks/{webhook}/deliveries?limit=3{cursor}");
        let page = ground.api.get(&ground.key, &path).expect(200).await?.body;
        seen.extend(names(&page, "event")?);
        pages += 1;
        let mut records = Records::default();
        for at in [now + Duration::minutes(pages), now - Duration::seconds(30)] {
            let event = format!("evt-later-{}", at.unix_timestamp() * 10 + pages);
            records.push_attempt(&Told::to(&webhook, Mode::Test, &event, APPOINTMENT)?.attempt(at, "5xx"));
        }
        ground.record(records).await?;
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    ensure!(
        pages == 3 && seen == (0..DELIVERIES).map(|n| format!("evt-{n}")).collect::<Vec<_>>(),
        "{seen:?}"
    );
    for (mode, organisation) in [(Mode::Live, ORGANISATION), (Mode::Test, "org_other")] {
        let key = ground.key(mode, organisation, Role::Administrator).await?;
        ensure!(
            ground.api.get(&key, "/v1/events").expect(200).await?.body == json!({ "data": [], "next": null })
        );
    }
    Ok(())
}

/// One request failed at a name that our own name servers alone know, one at a name that nobody knows: whatever is told of
/// them is the same, but for their ids.
pub async fn a_name_that_exists_inside_is_told_like_one_that_does_not(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let webhook = register(&ground, "https://hooks.example/a").await?;
    let at = OffsetDateTime::now_utc().replace_nanosecond(0)? - Duration::minutes(1);
    let mut told = Vec::new();
    for (outcome, took_us) in [("dns", 90_000), ("forbidden_address", 200)] {
        let about = Told::to(&webhook, Mode::Test, &format!("evt-{took_us}"), APPOINTMENT)?;
        let mut attempt = about.attempt(at, outcome);
        attempt.status = None;
        attempt.timing.whole_us = took_us;
        attempt.timing.connected_us = None;
        attempt.timing.head_us = None;
        if let Decided::Retry { at_us } = &mut attempt.verdict {
            *at_us += i64::try_from(took_us)?;
        }
        let mut records = Records::default();
        records.push_event(&about.event, &about.body, at);
        records.push_attempt(&attempt);
        ground.record(records).await?;
        let (delivery, request) = (about.addressed.delivery, attempt.request.to_string());
        let read = ground.api.get(&ground.key, &format!("/v1/deliveries/{delivery}")).expect(200).await?;
        let reveal = format!("/v1/deliveries/{delivery}/requests/{request}/reveal");
        let revealed = ground.api.post(&ground.key, &reveal, &json!({})).expect(200).await?;
        let listed = format!("/v1/webhooks/{webhook}/deliveries?limit=200");
        let listed = ground.api.get(&ground.key, &listed).expect(200).await?.body;
        let listed = listed["data"].as_array().context("a list")?.iter();
        let listed = listed.filter(|shown| shown["id"] == delivery.as_str()).map(Value::to_string);
        let all = format!("{} {} {}", read.text, revealed.text, listed.collect::<String>());
        let all = all.replace(&request, "request").replace(delivery.as_str(), "delivery");
        told.push(all.replace(about.event.id.as_str(), "event"));
    }
    ensure!(told[0] == told[1], "told apart: {} {}", told[0], told[1]);
    ensure!(
        told[0].contains(r#""outcome":"unreachable_host""#) && told[0].contains(r#""timing":null"#),
        "{}",
        told[0]
    );
    let rates = ground.api.get(&ground.key, &format!("/v1/webhooks/{webhook}/rates")).expect(200).await?.body;
    ensure!(rates["data"][0]["made"] == 2 && rates["data"][0]["latency"].is_null(), "{rates}");
    Ok(())
}

/// Three attempts fail; then its owner asks, and the endpoint gets the same event once more.
pub async fn a_delivery_is_made_again_over_http(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let receiver = context.receiver().await?;
    let failures = vec![Answer::status(500), Answer::status(500), Answer::status(500), Answer::status(200)];
    let endpoint = receiver.endpoint_in_turn("hook", failures);
    let webhook = register(&ground, &endpoint.url).await?;
    let (worker, _recorder) = tokio::try_join!(ground.site.worker(), ground.site.recorder())?;
    let event = Message::event("test", SCHEDULED, "evt-again", APPOINTMENT);
    ground.site.amqp().await?.publish(&event).await?;
    let exhausted = await_delivery(&ground, &webhook, "exhausted").await?;
    let path = format!("/v1/deliveries/{}", exhausted["id"].as_str().context("an id")?);

    let redeliver = format!("{path}/redeliver");
    let asked = ground.api.post(&ground.key, &redeliver, &json!({})).expect(202).await?;
    ensure!(asked.body["series"] == 2 && asked.body["delivery"] == exhausted["id"], "{}", asked.text);
    let requests = endpoint.await_requests(4).await?;
    ensure!(requests.iter().all(|request| request.webhook_id() == "evt-again"), "{requests:?}");
    ensure!(requests[3].attempt() == 1 && requests[3].body == requests[0].body, "{}", requests[3]);
    await_delivery(&ground, &webhook, "delivered").await?;
    let shown = await_told(&ground, &path, 4).await?.body;
    ensure!(shown["series"] == 2, "{shown}");
    ensure!(shown["requests"][0]["timing"]["wholeMs"].as_f64().is_some_and(|took| 0.0 < took), "{shown}");
    let series = &shown["manualSeries"][0];
    ensure!(series["series"] == 2 && series["publishedAt"].is_string(), "{shown}");
    let acts = ground.api.get(&ground.key, "/v1/audit?action=delivery.redelivered").expect(200).await?.body;
    ensure!(acts["data"][0]["target"] == exhausted["id"], "{acts}");
    ensure!(acts["data"][0]["actor"]["name"] == series["begunBy"], "{acts} {shown}");

    let disable = format!("/v1/webhooks/{webhook}/disable");
    ground.api.post(&ground.key, &disable, &json!({})).expect(200).await?;
    let refused = ground.api.post(&ground.key, &redeliver, &json!({ "force": true })).expect(409).await?;
    ensure!(refused.body["type"] == "urn:bellhop:problem:disabled", "{}", refused.text);
    ground.site.ensure_nothing_owed(worker).await
}

/// What its payload was is gone for good; what became of it stays.
pub async fn what_is_expunged_is_gone_and_that_is_on_record(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let (webhook, _) = told_deliveries(&ground).await?;
    let path = "/v1/events/evt-4";
    let gone = ground.api.post(&ground.key, &format!("{path}/expunge"), &json!({})).expect(200).await?.body;
    ensure!(gone["payload"] == true && gone["underWay"] == 0, "{gone}");
    let again = ground.api.post(&ground.key, &format!("{path}/expunge"), &json!({})).expect(200).await?.body;
    ensure!(again["payload"] == false && again["expungedAt"] == gone["expungedAt"], "{again}");
    let shown = ground.api.get(&ground.key, path).expect(200).await?.body;
    ensure!(
        shown["expungedAt"] == gone["expungedAt"] && shown["expungedBy"] == gone["expungedBy"],
        "{shown}"
    );
    ensure!(shown["deliveries"][0]["webhook"] == webhook.as_str(), "{shown}");
    let delivery = shown["deliveries"][0]["id"].as_str().context("an id")?;
    let redeliver = format!("/v1/deliveries/{delivery}/redeliver");
    let refused = ground.api.post(&ground.key, &redeliver, &json!({})).expect(409).await?;
    ensure!(refused.body["type"] == "urn:bellhop:problem:payload-gone", "{}", refused.text);
    let acts =
        ground.api.get(&ground.key, "/v1/audit?action=event.expunged&target=evt-4").expect(200).await?;
    ensure!(acts.body["data"].as_array().map(Vec::len) == Some(2), "{}", acts.text);
    Ok(())
}

/// Registers a webhook for what cases publish.
pub(super) async fn register(ground: &Ground, url: &str) -> Result<WebhookId> {
    let created = ground.create(url).await?;
    Ok(created["id"].as_str().context("an id")?.parse()?)
}

/// Waits until the only delivery to a webhook is in a state, and gives it.
pub(super) async fn await_delivery(ground: &Ground, webhook: &WebhookId, state: &str) -> Result<Value> {
    let path = format!("/v1/webhooks/{webhook}/deliveries?state={state}");
    let look = async || {
        let found = ground.api.get(&ground.key, &path).expect(200).await?.body;
        Ok(found["data"].as_array().and_then(|found| found.first()).cloned())
    };
    eventually(format!("a delivery that is {state}"), look).await
}

/// Waits until so many requests of a delivery are told of, and gives it: records come in any order.
pub(super) async fn await_told(ground: &Ground, path: &str, requests: usize) -> Result<crate::api::Answer> {
    let look = async || {
        let shown = ground.api.get(&ground.key, path).expect(200).await?;
        Ok((shown.body["requests"].as_array().map(Vec::len) == Some(requests)).then_some(shown))
    };
    eventually(format!("{requests} requests of {path}"), look).await
}

async fn told_deliveries(ground: &Ground) -> Result<(WebhookId, OffsetDateTime)> {
    let webhook = register(ground, "https://hooks.example/a").await?;
    let now = OffsetDateTime::now_utc();
    let (records, _) = seven_deliveries(&webhook, now)?;
    ground.record(records).await?;
    Ok((webhook, now))
}

/// What a page's things are called.
fn names(page: &Value, name: &str) -> Result<Vec<String>> {
    let data = page["data"].as_array().with_context(|| format!("no page: {page}"))?;
    Ok(data.iter().filter_map(|thing| thing[name].as_str().map(str::to_owned)).collect())
}
