//! The console over plain HTTP: what a browser does not show.

pub mod deliveries;
pub mod events;
pub mod faring;
pub mod forms;
pub mod ground;
mod logged;
pub mod modes;
pub mod pages;
pub mod recoveries;
pub mod sessions;
pub mod webhooks;
