//! The figures, as tables for people and a file for programs.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};
use bellhop_tests::machine::Machine;
use serde::Serialize;

use crate::Conditions;
use crate::drop_day::DropDay;
use crate::intake::Intake;
use crate::queries::Query;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    pub(crate) conditions: Conditions,
    pub(crate) machine: &'a Machine,
    pub(crate) intake: Intake,
    pub(crate) queries: Vec<Query>,
    pub(crate) drop_day: DropDay,
}

impl Report<'_> {
    /// Writes the figures for programs.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text).with_context(|| file.display().to_string())
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conditions { deliveries, attempts, runs } = self.conditions;
        write!(f, "{}", self.machine)?;
        writeln!(
            f,
            "{deliveries} deliveries recorded (DELIVERIES), {attempts} requests asked about (ATTEMPTS), \
             {runs} times each (RUNS)\n"
        )?;
        let intake = &self.intake;
        writeln!(f, "one recorder on one core")?;
        writeln!(f, "  rows/s                 {:>10.0}", intake.rows_per_s())?;
        writeln!(f, "  recorder CPU µs/row    {:>10.1}", intake.us_per_row(intake.recorder_cpu_s))?;
        writeln!(f, "  PostgreSQL CPU µs/row  {:>10.1}\n", intake.us_per_row(intake.postgres_cpu_s))?;
        writeln!(f, "bytes on disk per delivery, indexes included")?;
        for (table, bytes) in &intake.bytes_per_delivery {
            writeln!(f, "  {table:<22} {bytes:>10.0}")?;
        }
        let whole: f64 = intake.bytes_per_delivery.iter().map(|(_, bytes)| bytes).sum();
        writeln!(f, "  {:<22} {whole:>10.0}\n", "all")?;
        writeln!(f, "{:<34} {:>7} {:>9} {:>9}", "queries", "asked", "p50 ms", "p99 ms")?;
        for Query { name, asked, p50_ms, p99_ms, failure } in &self.queries {
            let told = |time: &Option<f64>| time.map_or("-".to_owned(), |time| format!("{time:.2}"));
            let failure = failure.as_ref().map_or(String::new(), |failure| format!("  FAILED {failure}"));
            writeln!(f, "  {name:<32} {asked:>7} {:>9} {:>9}{failure}", told(p50_ms), told(p99_ms))?;
        }
        let DropDay { took_s, partitions, rows, lock_wait_ms, longest_ms } = &self.drop_day;
        writeln!(
            f,
            "\na day dropped under load: {took_s:.2} s, {partitions} partitions, {rows} rows one by one"
        )?;
        writeln!(f, "  {:<22} {:>10} {:>10}", "", "writer", "reader")?;
        writeln!(f, "  {:<22} {:>10.1} {:>10.1}", "longest lock wait ms", lock_wait_ms.0, lock_wait_ms.1)?;
        writeln!(f, "  {:<22} {:>10.1} {:>10.1}", "longest statement ms", longest_ms.0, longest_ms.1)
    }
}
