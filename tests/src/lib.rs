//! Bellhop, tried whole: real servers that are thrown away, endpoints under our control, and cases against both.
//!
//! `fleet` runs the `cases`. Each case gets a `context`, from it a site of its own, and there registers webhooks,
//! publishes events, starts and kills workers, and looks at what its receivers received.

pub mod caller;
pub mod cases;
pub mod context;
pub mod fleet;

pub mod cluster;
pub mod ground;
pub mod place;
pub mod stack;

pub mod operator;
pub mod program;
pub mod worker;

pub mod amqp;
pub mod api;
pub mod browser;
pub mod foreign;
pub mod http;
pub mod prometheus;
pub mod receiver;
pub mod relay;
pub mod tab;

pub mod account;
pub mod appointment;
pub mod load;
pub mod queues;

pub mod choice;
pub mod machine;
pub mod measuring;

pub mod patience;
pub mod tree;
