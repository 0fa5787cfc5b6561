//! The delivery log: what happened, written in bulk and any number of times, kept for as long as it may be.

mod entry;
pub use entry::{LogEntry, UnusableRecord};

mod retention;
pub use retention::{LogRetention, ModeRetention};

mod health;
mod rows;
mod write;
pub use write::LogWritten;

mod failing;
pub use failing::FailingWebhook;

mod partition;
mod upkeep;
pub use upkeep::LogUpkeep;

pub(crate) mod row;

mod filter;
pub use filter::{DeliveryCursor, DeliveryCursorError, DeliveryFilter, StatusFilter, StatusFilterError};

mod delivery;
pub use delivery::{LoggedAttempt, LoggedDelivery};

mod event;
pub use event::{EventCursor, EventCursorError, EventFilter, LoggedEvent};

mod rates;
pub use rates::{RATE_SLOT, RatePoint, RateSpan};

mod overview;
pub use overview::WebhookOverview;

mod expunge;
pub use expunge::Expunged;

mod unseal;
