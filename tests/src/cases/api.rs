//! Organisations manage their webhooks over HTTP.

mod ground;

pub mod audit;
pub mod changes;
pub mod copies;
pub mod deliveries;
pub mod description;
pub mod hostile;
pub mod idempotency;
pub mod keys;
pub mod lists;
pub mod matrix;
pub mod rates;
pub mod recoveries;
pub mod revealing;
pub mod secrets;
pub mod serving;
pub mod webhooks;
