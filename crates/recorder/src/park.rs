//! The message to the log's parking queue: the bytes as they came, why, and where from.

use bellhop_broker::{Incoming, Outgoing, names};
use bellhop_model::CopyToken;
use bytes::Bytes;
use time::OffsetDateTime;

/// Makes the message. Published to `bellhop.log` as it is, its body is read again: what was sound of it changes nothing.
pub(crate) fn parked(message: &Incoming, reason: &str) -> Outgoing {
    let mut headers =
        vec![(names::REASON_HEADER, reason.to_owned()), (names::ORIGIN_HEADER, names::LOG.to_owned())];
    headers.extend(message.message_id().map(|id| (names::ORIGINAL_ID_HEADER, id.to_owned())));
    headers.push((names::ORIGINAL_KEY_HEADER, message.routing_key.clone()));
    let now_ms = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    headers.push((names::PARKED_AT_HEADER, now_ms.to_string()));
    Outgoing {
        exchange: names::LOG.to_owned(),
        routing_key: names::PARKED_KEY.to_owned(),
        message_id: CopyToken::from_random(&rand::random()).as_str().to_owned(),
        message_type: message.message_type().map(str::to_owned),
        timestamp: message.timestamp().map_or(0, |since_epoch| since_epoch.as_secs()),
        time_to_live: None,
        headers,
        body: Bytes::copy_from_slice(&message.body),
    }
}
