//! The console over plain HTTP: what a browser does not show.

pub mod forms;
pub mod ground;
pub mod modes;
pub mod pages;
pub mod sessions;
pub mod webhooks;
