//! Test Mode never touches live, and live never touches Test Mode.

use anyhow::{Result, ensure};

use crate::account::ensure_no_ends;
use crate::appointment::{APPOINTMENT, COLLAPSED, SCHEDULED};
use crate::context::Context;
use crate::operator::Registration;
use crate::receiver::Answer;

/// One event in each mode, each with a webhook of the same organisation that wants the same type.
pub async fn live_and_test_never_meet(context: Context) -> Result<()> {
    let (receiver, (variable, authority)) = context.secure_receiver().await?;
    let site = context.site_with(&[(variable, &authority)]).await?;
    let live = receiver.endpoint("live", Answer::status(200));
    let test = receiver.endpoint("test", Answer::status(200));
    let live_webhook = Registration { mode: "live", ..Registration::test(&live.url) };
    let live_webhook = site.operator.register(&live_webhook).await?;
    site.operator.add_webhook(&test.url).await?;
    let worker = site.worker().await?;

    for mode in ["live", "test"] {
        site.operator.publish(mode, SCHEDULED, APPOINTMENT.as_bytes()).await?.succeeded()?;
    }

    live.await_requests(1).await?;
    test.await_requests(1).await?;
    site.ensure_nothing_owed(worker).await?;
    ensure_no_ends(&site.amqp().await?).await?;
    for (endpoint, mode) in [(&live, "live"), (&test, "test")] {
        let requests = endpoint.requests();
        ensure!(requests.len() == 1 && requests[0].header("webhook-mode") == mode, "{mode}: {requests:?}");
    }
    let request = &live.requests()[0];
    ensure!(request.body == COLLAPSED, "{:?}", request.body);
    request.verify(&live_webhook.secret)
}
