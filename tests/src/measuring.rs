//! What measuring programs share: the parts they play as processes of their own, the events, who wants them,
//! and figures.

pub mod run;

pub mod postmaster;
pub mod role;

pub mod event;
pub mod publisher;

pub mod registry;
pub mod server;

pub mod seed;
pub mod told;

pub mod figure;
