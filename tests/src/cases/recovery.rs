//! Owing again: the same event to the same webhook, as another series of three, once for each time that somebody asks.

pub mod expunging;
pub mod jobs;
pub mod room;
pub mod turns;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Mode, OrganisationId, Records, WebhookId};
use bellhop_store::{Author, Overlap, Refusal, SealingKeys, ServerUrl, Store, StoreError, StoreOptions};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED};
use crate::cases::recording::records::{Told, published};
use crate::cases::recording::tables::Tables;
use crate::context::{Context, Site};
use crate::operator::Webhook;
use crate::patience::eventually;
use crate::queues;
use crate::receiver::Answer;

/// Ends of deliveries in one message of the log.
const ENDS_PER_MESSAGE: usize = 40;

/// Three attempts fail; then somebody asks, with success, and asks once more although it was delivered.
pub async fn an_exhausted_delivery_is_made_again_as_another_series(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let failures = vec![Answer::status(500), Answer::status(500), Answer::status(500), Answer::status(200)];
    let endpoint = receiver.endpoint_in_turn("hook", failures);
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let (worker, recorder) = tokio::try_join!(site.worker(), site.recorder())?;
    let tables = Tables::open(&site).await?;
    site.amqp().await?.publish(&Message::event("test", SCHEDULED, "evt-again", APPOINTMENT)).await?;
    tables.await_count("deliveries WHERE state = 'exhausted'", 1).await?;
    let delivery = delivery_of(&webhook, "evt-again")?;

    let asked = redeliver(&site, &delivery, &["--by", "Zoë"]).await?.succeeded()?;
    ensure!(asked.stdout.contains("series 2"), "{}", asked.stdout);
    tables.await_count("deliveries WHERE state = 'delivered' AND series = 2", 1).await?;
    redeliver(&site, &delivery, &[]).await?.succeeded()?;
    tables.await_count("deliveries WHERE state = 'delivered' AND series = 3", 1).await?;

    let requests = endpoint.await_requests(5).await?;
    let attempts: Vec<u8> = requests.iter().map(|request| request.attempt()).collect();
    ensure!(attempts == [1, 2, 3, 1, 1], "{attempts:?}");
    for request in &requests {
        ensure!(request.webhook_id() == "evt-again" && request.body == requests[0].body, "{request}");
        request.verify(&webhook.secret)?;
    }
    let show = ["deliveries", "show", &delivery];
    let shown = site.operator.program().run(&show).await?.succeeded()?.stdout;
    for told in ["series 2", "manual, by Zoë", "series 3", "series 2, attempt 1: 2xx 200"] {
        ensure!(shown.contains(told), "`{told}` is missing in {shown}");
    }
    site.ensure_nothing_owed(worker).await?;
    ensure!(recorder.drain().await?.success());
    site.amqp().await?.ensure_empty([queues::LOG, queues::LOG_PARKED, &queues::parked("test")]).await
}

/// A delivery that waits for its second attempt.
pub async fn a_series_under_way_is_not_begun_beside_unless_forced(context: Context) -> Result<()> {
    let site = context.site_with(&[("BELLHOP_RETRY_WAITS", "1h,1h")]).await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint_in_turn("hook", vec![Answer::status(500), Answer::status(200)]);
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let (_worker, _recorder) = tokio::try_join!(site.worker(), site.recorder())?;
    let tables = Tables::open(&site).await?;
    site.amqp().await?.publish(&Message::event("test", SCHEDULED, "evt-stuck", APPOINTMENT)).await?;
    tables.await_count("deliveries WHERE state = 'retrying'", 1).await?;
    let delivery = delivery_of(&webhook, "evt-stuck")?;

    let refused = redeliver(&site, &delivery, &[]).await?.ended_with(1)?;
    refused.complains_of(&["series 1", "under way (retrying)"])?;
    ensure!(tables.count("series").await? == 0, "what was refused is on record as a series");
    redeliver(&site, &delivery, &["--force"]).await?.succeeded()?;
    tables.await_count("deliveries WHERE state = 'delivered' AND series = 2", 1).await?;
    ensure!(endpoint.requests().len() == 2, "{:?}", endpoint.requests());
    Ok(())
}

/// No recorder runs, so that nothing but the tables tells them apart.
pub async fn two_who_ask_at_once_get_one_series(context: Context) -> Result<()> {
    const TIMES: usize = 10;
    let site = context.site().await?;
    let exhausted = Exhausted::prepare(&context, &site, TIMES).await?;
    let store = store(&site)?;
    let ours = ORGANISATION.parse()?;
    let organisation = store.organisation(Mode::Test, &ours, &Author::SYSTEM);
    for event in &exhausted.events {
        let delivery = delivery_of(&exhausted.webhook, event)?.parse()?;
        let ask = || organisation.redeliver(&delivery, Overlap::Refused);
        let (one, other) = tokio::join!(ask(), ask());
        let (granted, refused) = if one.is_ok() { (one, other) } else { (other, one) };
        ensure!(granted?.series.0 == 2);
        let refusal = refused.err().context("both were granted")?;
        let is_told = matches!(refusal, StoreError::Refused(Refusal::AlreadyOwed { .. }));
        ensure!(is_told, "{refusal}");
        // Not even by force: it would be two at once, and neither is stuck.
        let forced = organisation.redeliver(&delivery, Overlap::Forced).await;
        ensure!(matches!(forced, Err(StoreError::Refused(Refusal::AlreadyOwed { .. }))), "{forced:?}");
    }
    ensure!(exhausted.tables.count("series").await? == i64::try_from(TIMES)?);
    Ok(())
}

/// A recorder that is killed between the broker's confirm and its note publishes again; that the note was lost is done
/// here by hand.
pub async fn a_series_published_twice_is_sent_once(context: Context) -> Result<()> {
    let site = context.site().await?;
    let exhausted = Exhausted::prepare(&context, &site, 1).await?;
    let (worker, recorder) = tokio::try_join!(site.worker(), site.recorder())?;
    let delivery = delivery_of(&exhausted.webhook, &exhausted.events[0])?;
    redeliver(&site, &delivery, &[]).await?.succeeded()?;
    exhausted.endpoint.await_requests(1).await?;
    exhausted.tables.await_count("deliveries WHERE state = 'delivered' AND series = 2", 1).await?;

    let forgotten = "UPDATE series SET published_at = NULL, leased_until = NULL";
    ensure!(exhausted.tables.change(forgotten).await? == 1);
    recorder.await_figure(r#"bellhop_recorder_series_total{result="published"}"#, 2).await?;
    worker.await_figure(r#"bellhop_claims_total{mode="test",result="another"}"#, 1).await?;
    site.ensure_nothing_owed(worker).await?;
    ensure!(exhausted.endpoint.requests().len() == 1, "{:?}", exhausted.endpoint.requests());
    ensure!(exhausted.tables.count("deliveries WHERE state = 'delivered'").await? == 1, "it was moved back");
    Ok(())
}

/// Each reason for which nothing is begun, and none of them begins anything.
pub async fn what_cannot_be_sent_again_is_refused_with_the_reason(context: Context) -> Result<()> {
    let site = context.site().await?;
    let exhausted = Exhausted::prepare(&context, &site, 1).await?;
    let delivery = delivery_of(&exhausted.webhook, &exhausted.events[0])?;
    let refused = async |words: &[&str]| {
        redeliver(&site, &delivery, &[]).await?.ended_with(1)?.complains_of(words)?;
        ensure!(exhausted.tables.count("series").await? == 0, "a series was begun");
        Ok(())
    };
    let nobody = format!("dlv_{}", "0".repeat(32));
    redeliver(&site, &nobody, &[]).await?.ended_with(1)?.complains_of(&["no delivery", &nobody])?;

    site.operator.change_webhook("disable", &exhausted.webhook).await?;
    refused(&["is disabled (requested)", "enable it"]).await?;
    site.operator.change_webhook("enable", &exhausted.webhook).await?;
    ensure!(exhausted.tables.change("DELETE FROM payloads").await? == 1);
    refused(&["no longer on record", "published again"]).await?;
    site.operator.change_webhook("remove", &exhausted.webhook).await?;
    refused(&["was removed"]).await
}

/// A webhook with deliveries that were exhausted before anybody looked: the log alone tells of them.
struct Exhausted {
    webhook: Webhook,
    /// Takes everything.
    endpoint: crate::receiver::Endpoint,
    _receiver: crate::receiver::Receiver,
    tables: Tables,
    /// The events, the oldest first.
    events: Vec<String>,
    /// When the first delivery began; the others follow by the second.
    since: OffsetDateTime,
}

impl Exhausted {
    async fn prepare(context: &Context, site: &Site, count: usize) -> Result<Self> {
        let receiver = context.receiver().await?;
        let endpoint = receiver.endpoint("hook", Answer::status(200));
        let webhook = site.operator.add_webhook(&endpoint.url).await?;
        let tables = Tables::open(site).await?;
        let since = tables.now().await? - Duration::hours(1);
        let id: WebhookId = webhook.id.parse()?;
        let events: Vec<String> = (0..count).map(|number| format!("evt-lost-{number:04}")).collect();
        let mut at = since;
        for some in events.chunks(ENDS_PER_MESSAGE) {
            let mut records = Records::default();
            for event in some {
                records.push_end(&Told::to(&id, Mode::Test, event, APPOINTMENT)?.end(at));
                at += Duration::seconds(1);
            }
            published(site, &records).await?;
        }
        let recorder = site.recorder().await?;
        let ended = format!("deliveries WHERE state = 'exhausted' AND webhook = '{id}'");
        tables.await_count(&ended, i64::try_from(count)?).await?;
        ensure!(recorder.drain().await?.success());
        Ok(Self { webhook, endpoint, _receiver: receiver, tables, events, since })
    }
}

async fn redeliver(site: &Site, delivery: &str, arguments: &[&str]) -> Result<crate::program::Finished> {
    let all = [&["redeliver", delivery], arguments].concat();
    site.operator.program().run(&all).await
}

/// The delivery of an event in Test Mode to a webhook.
fn delivery_of(webhook: &Webhook, event: &str) -> Result<String> {
    let organisation: OrganisationId = ORGANISATION.parse()?;
    let (event, webhook) = (event.parse()?, webhook.id.parse()?);
    let delivery = bellhop_model::DeliveryId::derive(Mode::Test, &organisation, &event, &webhook);
    Ok(delivery.as_str().to_owned())
}

/// The place's tables as the program reads them.
fn store(site: &Site) -> Result<Store> {
    let keys = SealingKeys::parse(&site.place.addresses().sealing_key)?;
    let (postgres, redis) = (site.place.postgres_url(), site.place.redis_url());
    Ok(Store::open(&StoreOptions::new(ServerUrl::new(postgres), ServerUrl::new(redis), keys))?)
}

/// What `bellhop recover` prints as JSON.
async fn recover(site: &Site, arguments: &[&str]) -> Result<Value> {
    let all = [&["recover"], arguments, &["--output", "json"]].concat();
    let printed = site.operator.program().run(&all).await?.succeeded()?.stdout;
    serde_json::from_str(&printed).with_context(|| printed.clone())
}

/// Waits until a recovery is in a state, and gives it.
async fn await_state(site: &Site, id: &str, state: &str) -> Result<Value> {
    let look = async || {
        let shown = recover(site, &["show", id]).await?;
        ensure!(shown["state"] == state, "{shown}");
        Ok(Some(shown))
    };
    eventually(format!("the recovery to be {state}"), look).await
}

/// A moment as an argument.
fn argument(moment: OffsetDateTime) -> Result<String> {
    Ok(moment.format(&time::format_description::well_known::Rfc3339)?)
}
