//! The figures, as a table for people and a file for programs.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bellhop_tests::machine::Machine;
use serde::Serialize;

use crate::Conditions;
use crate::pages::Row;

/// What is promised of each page: how long it takes at the most, in 99 of 100 cases, and how heavy it is with all that it
/// loads.
const P99_MS_MAX: f64 = 100.0;
const BYTES_MAX: usize = 100_000;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    pub(crate) conditions: Conditions,
    pub(crate) machine: &'a Machine,
    pub(crate) rows: Vec<Row>,
}

impl Report<'_> {
    /// Writes the figures for programs.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text).with_context(|| file.display().to_string())
    }

    /// Insists on the promise.
    pub(crate) fn ensure_kept(&self) -> Result<()> {
        let broken: Vec<&str> = self.rows.iter().filter(|row| row.is_broken()).map(|row| row.name).collect();
        ensure!(
            broken.is_empty(),
            "slower than {P99_MS_MAX} ms at p99, or heavier than {BYTES_MAX} bytes: {}",
            broken.join("; ")
        );
        Ok(())
    }
}

impl Row {
    fn is_broken(&self) -> bool {
        P99_MS_MAX < self.p99_ms || self.whole_bytes.is_some_and(|bytes| BYTES_MAX < bytes)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conditions { deliveries, runs } = self.conditions;
        write!(f, "{}", self.machine)?;
        writeln!(
            f,
            "{deliveries} deliveries of one organisation (DELIVERIES), half of them to one webhook, each page {runs} times \
             (RUNS);\nbytes uncompressed, with assets that a browser keeps\n"
        )?;
        writeln!(f, "{:<42} {:>8} {:>8} {:>9} {:>12}", "", "p50 ms", "p99 ms", "bytes", "with assets")?;
        for row in &self.rows {
            let Row { name, p50_ms, p99_ms, bytes, whole_bytes } = row;
            let whole = whole_bytes.map_or("-".to_owned(), |bytes| bytes.to_string());
            let broken = if row.is_broken() { "  BROKEN" } else { "" };
            writeln!(f, "{name:<42} {p50_ms:>8.2} {p99_ms:>8.2} {bytes:>9} {whole:>12}{broken}")?;
        }
        Ok(())
    }
}
