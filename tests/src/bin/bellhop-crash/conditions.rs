//! What can be chosen, through environment variables.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use bellhop_tests::choice::number;
use bellhop_tests::tree;
use serde::Serialize;

use crate::rows::{ROWS, Row};

/// What a run is like.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Conditions {
    /// Events per second, published all the time.
    pub(crate) rate: usize,
    /// How long before a fault, while it lasts (where it lasts), and after it.
    pub(crate) seconds: usize,
    /// The rows, in the order of the table.
    #[serde(skip)]
    pub(crate) rows: Vec<&'static Row>,
    /// Where the figures go.
    #[serde(skip)]
    pub(crate) output: PathBuf,
}

impl Conditions {
    /// Reads the environment.
    pub(crate) fn read() -> Result<Self> {
        Ok(Self {
            rate: number("RATE", 50, 10..=2_000)?,
            seconds: number("SECONDS", 2, 1..=60)?,
            rows: match std::env::var("ROWS") {
                Ok(names) => chosen(&names)?,
                Err(_) => ROWS.iter().collect(),
            },
            output: std::env::var_os("OUTPUT")
                .map_or_else(|| tree::repository().join("target/bench/crash.json"), PathBuf::from),
        })
    }

    /// How long a phase lasts.
    pub(crate) fn hold(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.seconds).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, seconds, rows, .. } = self;
        writeln!(
            f,
            "{rate} events/s (RATE), {seconds} s before, during and after each fault (SECONDS), \
             {} of {} rows (ROWS)",
            rows.len(),
            ROWS.len()
        )
    }
}

fn chosen(names: &str) -> Result<Vec<&'static Row>> {
    let mut rows = Vec::new();
    for name in names.split(',').map(str::trim) {
        let Some(row) = ROWS.iter().find(|row| row.name == name) else {
            let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            bail!("ROWS has `{name}`, which is no row; there are: {}", known.join(", "));
        };
        rows.push(row);
    }
    Ok(rows)
}
