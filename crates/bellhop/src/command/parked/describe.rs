//! A parked message as it is shown: where it came from, why, since when, whose; never what it holds unless asked for.

use bellhop_broker::{Parked, names};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::command::output::{harmless, moment, moment_of};

/// What stands for what a message does not say.
const UNKNOWN: &str = "-";

/// One line of a list.
pub(super) fn line(queue: &str, parked: &Parked) -> String {
    let about = About::of(parked);
    format!(
        "{}  {}  {queue} from {}  {}  {}  {}  {}",
        about.since.map_or_else(|| UNKNOWN.to_owned(), moment),
        about.id,
        about.origin,
        about.organisation,
        about.original_id,
        about.message_type,
        about.reason,
    )
}

/// All that is known of one, for people.
pub(super) fn print(queue: &str, parked: &Parked, body: Option<&str>) {
    let about = About::of(parked);
    println!("id            {}", about.id);
    println!("queue         {queue}");
    println!("origin        {}", about.origin);
    println!("reason        {}", about.reason);
    if let Some(since) = about.since {
        let age = (OffsetDateTime::now_utc() - since).whole_seconds();
        println!("since         {}, {age} s ago", moment(since));
    }
    println!("organisation  {}", about.organisation);
    println!("message       {}  {}", about.original_id, about.message_type);
    for (name, value) in owed(parked) {
        println!("{name:<13} {value}");
    }
    println!("bytes         {}", parked.message.body.len());
    if let Some(body) = body {
        println!("holds         {}", harmless(body));
    }
}

/// The same for scripts.
pub(super) fn whole(queue: &str, parked: &Parked, body: Option<String>) -> Value {
    let about = About::of(parked);
    let known = |text: String| (text != UNKNOWN).then_some(text);
    let mut object = json!({
        "id": known(about.id),
        "queue": queue,
        "origin": known(about.origin),
        "reason": about.reason,
        "since": about.since.map(moment),
        "organisation": known(about.organisation),
        "messageId": known(about.original_id),
        "type": known(about.message_type),
        "bytes": parked.message.body.len(),
    });
    for (name, value) in owed(parked) {
        object[name] = Value::from(value);
    }
    if let Some(body) = body {
        object["payload"] = Value::from(body);
    }
    object
}

/// A moment to measure ages against.
pub(super) fn now(now: OffsetDateTime) -> String {
    moment(now)
}

/// What a message says of itself, made harmless.
struct About {
    id: String,
    origin: String,
    reason: String,
    since: Option<OffsetDateTime>,
    organisation: String,
    original_id: String,
    message_type: String,
}

impl About {
    fn of(parked: &Parked) -> Self {
        let Parked { message, origin, .. } = parked;
        let shown = |text: Option<&str>| {
            text.filter(|text| !text.is_empty()).map_or_else(|| UNKNOWN.to_owned(), one_line)
        };
        let since_us =
            origin.as_ref().and_then(|origin| origin.parked_at_ms).map(|ms| ms.saturating_mul(1_000));
        let stamped = || {
            let seconds = i64::try_from(message.timestamp()?.as_secs()).ok()?;
            (seconds != 0).then(|| seconds.saturating_mul(1_000_000))
        };
        Self {
            id: shown(message.message_id()),
            origin: shown(origin.as_ref().map(|origin| &*origin.queue)),
            reason: origin.as_ref().map_or_else(
                || "it does not say where it came from".to_owned(),
                |origin| one_line(&origin.reason),
            ),
            since: since_us.or_else(stamped).map(moment_of),
            organisation: shown(message.header(names::ORGANISATION_HEADER)),
            original_id: shown(origin.as_ref().and_then(|origin| origin.message_id.as_deref())),
            message_type: shown(message.message_type()),
        }
    }
}

/// What a message from the due lane owed.
fn owed(parked: &Parked) -> impl Iterator<Item = (&'static str, String)> {
    let headers = [
        ("webhook", names::WEBHOOK_HEADER),
        ("series", names::SERIES_HEADER),
        ("attempt", names::ATTEMPT_HEADER),
    ];
    headers.into_iter().filter_map(|(name, header)| Some((name, one_line(parked.message.header(header)?))))
}

fn one_line(text: &str) -> String {
    harmless(text).replace(['\n', '\t'], " ")
}
