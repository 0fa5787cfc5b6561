//! Every bound that belongs to the contracts rather than to one process's configuration.

use std::time::Duration;

/// Attempts of a series, in all. The platform's guide promises three; nothing in Bellhop makes a fourth.
pub const ATTEMPTS_MAX: u8 = 3;

/// Greatest size of an event on the wire, in bytes. A larger message is parked.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Greatest length of an event id, in characters.
pub const EVENT_ID_CHARS_MAX: usize = 64;

/// Greatest length of an organisation id, in characters.
pub const ORGANISATION_ID_CHARS_MAX: usize = 64;

/// Greatest length of the name of whoever asked for something, in characters.
pub const ACTOR_CHARS_MAX: usize = 128;

/// Greatest length of an event type, in characters. It travels as part of an AMQP routing key (255 bytes).
pub const EVENT_TYPE_CHARS_MAX: usize = 128;

/// Most event types that a catalogue tells of.
pub const CATALOGUE_TYPES_MAX: usize = 256;

/// Greatest size of a sample of an event type's payload, in bytes. The rest of an event needs less than a KiB beside it.
pub const SAMPLE_BYTES_MAX: usize = EVENT_BYTES_MAX - 1024;

/// Greatest length of a webhook's URL, in bytes after normalisation.
pub const ENDPOINT_URL_BYTES_MAX: usize = 2048;

/// Greatest length of a webhook's description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 500;

/// How much of an endpoint's answer is read, in bytes; the rest is cut off.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// How much of an answer's body is kept to be looked at, in bytes of text. Enough for an error message; it is stored for
/// every attempt.
pub const ANSWER_EXCERPT_BYTES_MAX: usize = 1024;

/// How many headers of an answer are kept to be looked at.
pub const ANSWER_HEADERS_MAX: usize = 32;

/// Greatest length of the name of a header that is kept, in bytes; one with a longer name is left out.
pub const ANSWER_HEADER_NAME_BYTES_MAX: usize = 64;

/// How much of a header's value is kept, in bytes of text.
pub const ANSWER_HEADER_VALUE_BYTES_MAX: usize = 256;

/// The longest an endpoint's `Retry-After` may put the next attempt off.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// Wait before attempt 2 and before attempt 3, unless configured otherwise.
pub const RETRY_WAITS_DEFAULT: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(10 * 60)];

/// The wait ladder that every broker has: one queue per rung.
pub const LADDER_DEFAULT: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
];

/// Shortest wait a rung may have. Below this the broker's own timer dominates.
pub const RUNG_WAIT_MIN: Duration = Duration::from_millis(100);

/// Longest wait a rung may have. Beyond a day an appointment's news is history.
pub const RUNG_WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The greatest age a delivery can reach: after it, nothing about it may still be in flight.
///
/// It is the bound of unavailability (24 h) and both waits at their longest, with an hour to spare; a claim on an
/// attempt must outlive it.
pub const DELIVERY_AGE_MAX: Duration = Duration::from_secs(28 * 60 * 60);

/// Fewest exhausted deliveries that show a webhook to be failing. At five days, an event a day is enough.
pub const FAILING_DELIVERIES_MIN: u32 = 5;

/// How far the delivery log may be behind what happens for a webhook to be found failing: what cleared it could still be
/// on its way.
pub const FAILING_LOG_LAG_MAX: Duration = Duration::from_secs(15 * 60);

/// The least and the greatest time between the two looks that find a webhook failing: enough for whatever was in hand at
/// the first to be written, and too little for the log to have been behind and to have caught up again.
pub const FAILING_SUSPICION_AGE: (Duration, Duration) =
    (Duration::from_secs(5 * 60), Duration::from_secs(60 * 60));
