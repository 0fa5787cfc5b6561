//! One delivery with everything that is on record about it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use bellhop_model::{AnswerRecord, Event, EventLabels, RequestId, SentRequest};
use bellhop_store::{Act, Action, LoggedAttempt, LoggedDelivery, LoggedSeries, SeriesProgress, Store};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{ShowArguments, describe, told};
use crate::command::author::at_the_shell;
use crate::command::output::{Output, harmless, moment, moment_of};
use crate::failure::Failure;

/// The health data of a delivery, which was asked for.
struct Opened {
    /// The event as published; absent when it has expired.
    payload: Option<Vec<u8>>,
    /// The same, read.
    event: Option<Event>,
    answers: BTreeMap<RequestId, AnswerRecord>,
}

/// Shows a delivery.
pub(super) async fn run(store: &Store, arguments: ShowArguments) -> Result<(), Failure> {
    let ShowArguments { id, payload, output } = arguments;
    let delivery = store.delivery(&id).await.map_err(anyhow::Error::new)?;
    let attempts = store.attempts(&delivery).await.map_err(anyhow::Error::new)?;
    let series = store.series(&id).await.map_err(anyhow::Error::new)?;
    let opened = if payload { Some(open(store, &delivery).await?) } else { None };
    match output.output {
        Output::Json => println!("{}", whole(&delivery, &series, &attempts, opened.as_ref())),
        Output::Text => {
            print_delivery(&delivery);
            series.iter().for_each(print_series);
            for attempt in &attempts {
                print_attempt(attempt, opened.as_ref());
            }
            if let Some(Opened { payload, .. }) = &opened {
                println!(
                    "event         {}",
                    payload.as_deref().map_or("no longer on record".into(), String::from_utf8_lossy)
                );
            }
        }
    }
    Ok(())
}

/// Opens what is sealed, once it is on record that somebody looks.
async fn open(store: &Store, delivery: &LoggedDelivery) -> Result<Opened, Failure> {
    let author = at_the_shell();
    let act = Act::new(Action::PayloadViewed, delivery.id.as_str())
        .with("event", delivery.event.as_str())
        .with("webhook", delivery.webhook.as_str());
    let organisation = store.organisation(delivery.mode, &delivery.organisation, &author);
    organisation.put_on_record(&act).await.map_err(anyhow::Error::new)?;
    let payload = store.payload(delivery).await.map_err(anyhow::Error::new)?;
    let answers = store.answers(delivery).await.map_err(anyhow::Error::new)?;
    let read = |payload: &Vec<u8>| Event::parse(payload, Some(delivery.mode), &EventLabels::default());
    let event = payload.as_ref().map(read).transpose().context("failed to read the event on record")?;
    Ok(Opened { payload, event, answers })
}

fn print_delivery(delivery: &LoggedDelivery) {
    let LoggedDelivery { id, mode, organisation, event, event_type, webhook, begun_at, standing, .. } =
        delivery;
    let test = if delivery.is_test { "  test event" } else { "" };
    println!("id            {id}");
    println!("mode          {mode}");
    println!("organisation  {organisation}");
    println!("event         {event}  {event_type}{test}");
    println!("webhook       {webhook}");
    println!("state         {}", told(standing, OffsetDateTime::now_utc()));
    if let Some(reason) = standing.state.reason() {
        println!("reason        {}", reason.as_str());
    }
    println!("since         {}", moment(moment_of(standing.since_us)));
    println!("begun         {}", moment(*begun_at));
}

/// A series that somebody asked for; the first began by itself.
fn print_series(begun: &LoggedSeries) {
    let LoggedSeries { series, begun_by, begun_at, recovery, progress } = begun;
    let recovery = recovery.as_ref().map_or(String::new(), |recovery| format!(" in {recovery}"));
    let progress = match progress {
        SeriesProgress::Owed => "waits to be published".to_owned(),
        SeriesProgress::Published(at) => format!("published {}", moment(*at)),
        SeriesProgress::Withdrawn(at) => format!("withdrawn {}: its payload was gone", moment(*at)),
    };
    println!("series {series:<6} {}  manual, by {begun_by}{recovery}, {progress}", moment(*begun_at));
}

fn print_attempt(made: &LoggedAttempt, opened: Option<&Opened>) {
    let LoggedAttempt { request, series, attempt, started_at, timing, status, outcome, verdict, .. } = made;
    let status = status.map_or(String::new(), |status| format!(" {status}"));
    let next = made.next_at.map_or(String::new(), |next| format!(" at {}", moment(next)));
    let took_ms = timing.whole_us / 1000;
    println!(
        "request       {}  {request}  series {series}, attempt {attempt}: {outcome}{status} in {took_ms} ms, {verdict}{next}",
        moment(*started_at)
    );
    let Some(opened) = opened else { return };
    if let Some(event) = &opened.event {
        print_sent(made, event);
    }
    if let Some(answer) = opened.answers.get(request) {
        println!("  answer");
        for (name, value) in &answer.headers {
            println!("    {}: {}", harmless(name), harmless(value));
        }
        let end = if answer.is_truncated { " …" } else { "" };
        println!("    {}{end}", harmless(&answer.body).replace('\n', "\n    "));
    }
}

/// Path and query of the URL are nowhere: they may be a credential.
fn print_sent(made: &LoggedAttempt, event: &Event) {
    let sent = made.sent();
    let SentRequest { headers, body } = SentRequest::of(event, made.attempt, &sent);
    println!("  sent          POST {}/…", made.origin.as_deref().unwrap_or_default());
    for (name, value) in headers {
        println!("    {name}: {value}");
    }
    println!("    {}", harmless(&body));
}

fn whole(
    delivery: &LoggedDelivery,
    series: &[LoggedSeries],
    attempts: &[LoggedAttempt],
    opened: Option<&Opened>,
) -> Value {
    let mut object = describe(delivery);
    object["manualSeries"] = series.iter().map(describe_series).collect();
    object["requests"] = attempts.iter().map(|made| describe_attempt(made, opened)).collect();
    if let Some(Opened { payload, .. }) = opened {
        let published: Option<Box<RawValue>> =
            payload.as_deref().and_then(|payload| serde_json::from_slice(payload).ok());
        // As text: number text and order of an event are part of it, and a tree would not keep them.
        object["payload"] = json!(published.map(|published| published.get().to_owned()));
    }
    object
}

fn describe_series(begun: &LoggedSeries) -> Value {
    let (published_at, withdrawn_at) = match begun.progress {
        SeriesProgress::Owed => (None, None),
        SeriesProgress::Published(at) => (Some(moment(at)), None),
        SeriesProgress::Withdrawn(at) => (None, Some(moment(at))),
    };
    json!({
        "series": begun.series.0,
        "begunBy": begun.begun_by.as_str(),
        "begunAt": moment(begun.begun_at),
        "recovery": begun.recovery.as_ref().map(|recovery| recovery.as_str()),
        "publishedAt": published_at,
        "withdrawnAt": withdrawn_at,
    })
}

fn describe_attempt(made: &LoggedAttempt, opened: Option<&Opened>) -> Value {
    let mut object = json!({
        "id": made.request.to_string(),
        "series": made.series.0,
        "attempt": made.attempt.number(),
        "startedAt": moment(made.started_at),
        "connectedUs": made.timing.connected_us,
        "headUs": made.timing.head_us,
        "wholeUs": made.timing.whole_us,
        "status": made.status,
        "outcome": made.outcome,
        "verdict": made.verdict,
        "nextAt": made.next_at.map(moment),
        "payload": made.payload.name(),
        "expanded": made.payload.expansion().names().collect::<Vec<_>>(),
        "signedAt": made.signed_at,
        "signature": made.signature,
    });
    if let Some(Opened { answers, event, .. }) = opened {
        object["answer"] = json!(answers.get(&made.request));
        object["sent"] = event.as_ref().map_or(Value::Null, |event| describe_sent(made, event));
    }
    object
}

fn describe_sent(made: &LoggedAttempt, event: &Event) -> Value {
    let sent = made.sent();
    let SentRequest { headers, body } = SentRequest::of(event, made.attempt, &sent);
    let headers: Vec<Value> =
        headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    // As text, so that it is what was sent, byte for byte.
    json!({ "origin": made.origin, "headers": headers, "body": body })
}
