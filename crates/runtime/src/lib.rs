//! What every process needs: configuration, logs, metrics registry, probes, signals, drain.
//!
//! A process reads its [`config`], installs its [`logs`], creates its [`metrics`] and its [`health`], serves
//! both as [`probes`], and ends through [`shutdown`]. Nothing here knows what the process is for.

pub mod config;
pub mod health;
pub mod logs;
pub mod metrics;
pub mod probes;
pub mod shutdown;
