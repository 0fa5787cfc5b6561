//! What is measured under, as far as it can be chosen.

use std::fmt;

use anyhow::Result;
use bellhop_tests::choice::number;
use serde::Serialize;

/// What the bounds of the lanes, and with them the prefetch, are by default; the floor is given the same.
pub(crate) const WORKER_PREFETCH: u16 = 200;

/// With more in hand than a worker takes, the floor shows what prefetch costs.
pub(crate) const DEEP_PREFETCH: u16 = 500;

/// The subscribers per event that are measured; each event of an organisation goes to that many webhooks.
pub(crate) const FAN_OUTS: [usize; 3] = [1, 3, 10];

/// What can be chosen, through environment variables.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Conditions {
    /// How often fleet and floor take turns.
    pub(crate) pairs: usize,
    /// Servers, each with a port of its own; as many organisations.
    pub(crate) endpoints: usize,
    /// Deliveries of one drain.
    pub(crate) deliveries: usize,
    /// Events per second of the live publisher.
    pub(crate) rate: usize,
    /// How long it publishes.
    pub(crate) seconds: usize,
}

impl Conditions {
    /// Reads the environment.
    pub(crate) fn read() -> Result<Self> {
        Ok(Self {
            pairs: number("PAIRS", 5, 1..=50)?,
            endpoints: number("ENDPOINTS", 64, 10..=1_000)?,
            deliveries: number("DELIVERIES", 30_000, 1_000..=500_000)?,
            rate: number("RATE", 3_000, 100..=20_000)?,
            seconds: number("SECONDS", 8, 1..=60)?,
        })
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pairs, endpoints, deliveries, rate, seconds } = self;
        writeln!(
            f,
            "pairs {pairs} (PAIRS), endpoints {endpoints} (ENDPOINTS), production defaults, Test Mode"
        )?;
        writeln!(f, "drain {deliveries} deliveries (DELIVERIES), filled while no consumer runs")?;
        write!(f, "live  {rate}/s (RATE) for {seconds} s (SECONDS), publisher and consumer at once")
    }
}
