//! `bellhop publish`: what a platform's operator is told when the input is wrong.

use anyhow::{Result, ensure};

use crate::appointment::{APPOINTMENT, COLLAPSED, SCHEDULED, oversized};
use crate::context::Context;
use crate::receiver::Answer;

/// A bad line stops neither those before it nor those after it.
pub async fn good_lines_are_published_and_bad_ones_are_told_by_number(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;

    let lines = format!("{APPOINTMENT}\n{{\"id\": \"apt_1\",\n{APPOINTMENT}\nnonsense\n");
    let finished = site.operator.publish("test", SCHEDULED, lines.as_bytes()).await?;
    finished.ended_with(1)?.complains_of(&["standard input:2", "standard input:4"])?;

    let requests = endpoint.await_requests(2).await?;
    ensure!(requests.iter().all(|request| request.body == COLLAPSED), "{requests:?}");
    ensure!(requests[0].webhook_id() != requests[1].webhook_id(), "two events share an id");
    site.ensure_nothing_owed(worker).await?;
    ensure!(endpoint.requests().len() == 2, "{:?}", endpoint.requests());
    Ok(())
}

/// The publisher learns at once what a worker would only park.
pub async fn an_appointment_that_cannot_be_delivered_is_refused_before_it_is_sent(
    context: Context,
) -> Result<()> {
    let site = context.site().await?;
    let owner = r#""organisationId":"org_7eUZfyQq3xxxXXXxJlf","#;
    let cases = [
        (oversized(), "65536"),
        (APPOINTMENT.replace(owner, ""), "organisationId"),
        (APPOINTMENT.replace(owner, r#""organisationId":7,"#), "organisationId"),
        (APPOINTMENT.replace(r#""patient":{"id":"p_2uYyYVbT1rQ7mLk9Za","#, r#""patient":{"#), "patient"),
        ("[]".to_owned(), "not a JSON object"),
    ];
    for (appointment, complaint) in cases {
        let finished = site.operator.publish("test", SCHEDULED, appointment.as_bytes()).await?;
        let finished = finished.ended_with(1)?.complains_of(&[complaint])?;
        ensure!(!finished.stderr.contains("+447700900123"), "health data is told: {}", finished.stderr);
    }
    let finished = site.operator.publish("test", "appointment", APPOINTMENT.as_bytes()).await?;
    ensure!(finished.code != Some(0), "a malformed type was published");
    finished.complains_of(&["not an event type"])?;
    site.amqp().await?.ensure_empty(["bellhop.test.events.0", "bellhop.unroutable"]).await
}
