//! Redis and PostgreSQL away together, a log that takes nothing, and records that nobody can read yet or anybody should have
//! read long ago.

use anyhow::Result;
use bellhop_model::{Mode, Records};
use time::OffsetDateTime;

use super::{await_alerts, await_alerts_while};
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED};
use crate::cases::observing::observed::{Observed, watch};
use crate::cases::recording::records::{Told, published};
use crate::context::Context;
use crate::queues;
use crate::receiver::Answer;
use crate::stack::Service;

/// A batch of the log in a version that does not exist yet.
const LATER: &[u8] = br#"{"version":7,"packed":"c29tZXRoaW5nIG5ldw=="}"#;

/// How long ago the other batch was made; the alert wants five minutes.
const LATE: time::Duration = time::Duration::minutes(10);

/// Neither answers: of the organisation that is known its old webhooks are served, and the events of another wait.
pub async fn stores_that_are_away_are_told(context: Context) -> Result<()> {
    let (receiver, (variable, authority)) = context.secure_receiver().await?;
    let stack = context.private_stack(&[Service::Postgres, Service::Redis]).await?;
    let site = context.site_on_with(&stack, &[(variable, &authority)]).await?;
    let observed = Observed::start(site, receiver).await?;
    let prometheus = observed.prometheus(&context).await?;
    observed.live_a_little().await?;

    stack.kill(Service::Postgres).await?;
    stack.kill(Service::Redis).await?;
    let expected = [
        "BellhopRedisUnreachable",
        "BellhopSubscriptionsStale",
        "BellhopOwnFailureBudgetBurnsFast",
        "BellhopOwnFailureBudgetBurnsSlowly",
    ];
    let unknown = APPOINTMENT.replace(ORGANISATION, "org_nobodyKnowsMe");
    let publish = || async {
        observed.publish("live", 1).await?;
        let publishing = observed.site.operator.publish("live", SCHEDULED, unknown.as_bytes());
        publishing.await?.succeeded().map(drop)
    };
    await_alerts_while(&prometheus, &expected, publish).await
}

/// The log has room for one message.
pub async fn records_that_the_log_refuses_are_told(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("well", Answer::status(200));
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;
    let prometheus = watch(&context, &site, &[&worker]).await?;
    site.place.set_policy("full", &format!("^{}$", queues::LOG), 1, r#"{"max-length":1}"#).await?;
    let expected = ["BellhopLogRecordsDropped", "BellhopPublishesRefused"];
    await_alerts_while(&prometheus, &expected, || site.operator.publish_appointment()).await
}

/// A newer worker's records wait for a newer recorder, and what an older worker wrote was long on its way.
pub async fn records_that_nobody_can_read_and_records_that_are_late_are_told(context: Context) -> Result<()> {
    let site = context.site().await?;
    let recorder = site.recorder().await?;
    let prometheus = watch(&context, &site, &[&recorder]).await?;
    site.amqp().await?.publish(&Message::of_log(LATER.to_vec())).await?;
    let mut records = Records::default();
    let told = Told::new(Mode::Test, "evt-late", APPOINTMENT)?;
    records.push_attempt(&told.attempt(OffsetDateTime::now_utc() - LATE, "5xx"));
    published(&site, &records).await?;
    let expected = ["BellhopRecorderHoldsNewerRecords", "BellhopRecorderBehind"];
    await_alerts(&prometheus, &expected).await
}
