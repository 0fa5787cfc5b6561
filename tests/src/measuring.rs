//! What measuring programs share: the parts they play as processes of their own, the events, and who wants them.

pub mod run;

pub mod role;

pub mod event;
pub mod publisher;

pub mod registry;
pub mod server;

pub mod seed;
pub mod told;
