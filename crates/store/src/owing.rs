//! Owing deliveries again: one that somebody asks for, or many of a webhook by a recovery.
//!
//! Asking writes a row; a recorder publishes what the row owes and notes that the broker has it. So asking needs no
//! broker, and whatever is killed in between, the row says what is still to be done.

mod refusal;
pub use refusal::Refusal;

mod series;
pub use series::{LoggedSeries, Overlap, OwedSeries, SeriesProgress};

mod publishing;

mod recovery;
pub use recovery::{
    NewRecovery, Recovery, RecoveryCount, RecoveryFailure, RecoveryFilter, RecoveryState, RecoveryStateError,
};

mod begin;

mod page;
pub use page::{LeaseHolder, RecoveryPage};
