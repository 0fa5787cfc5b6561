//! The figures, as a table for people and a file for programs.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::Conditions;
use crate::load::{self, Asked, Load};
use crate::stage::Stage;

/// The rows, in the order in which they are measured.
const ROWS: [(&str, Asked); 3] = [
    ("read a webhook", Asked::Webhook),
    ("publish over HTTP", Asked::Event),
    ("publish on the broker", Asked::EventOnTheBroker),
];

/// How long each row runs before it counts, as a part of the whole.
const WARM_UP_PART: usize = 4;

/// Everything that was measured.
pub(crate) struct Report {
    machine: String,
    machine_json: Value,
    conditions: Conditions,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    per_second: f64,
    p50: Duration,
    p99: Duration,
    /// Of the API, for each request; absent where it is not asked.
    cpu: Option<Duration>,
}

impl Report {
    /// Measures row by row.
    pub(crate) async fn measure(stage: &Stage, conditions: Conditions) -> Result<Self> {
        let mut rows = Vec::new();
        for (name, asked) in ROWS {
            let warm_up = Conditions { seconds: conditions.seconds.div_ceil(WARM_UP_PART), ..conditions };
            load::run(stage, warm_up, asked, &format!("warm{}", rows.len()))
                .await
                .with_context(|| format!("warm up: {name}"))?;
            let before = stage.api_cpu()?;
            let load = load::run(stage, conditions, asked, &format!("run{}", rows.len()))
                .await
                .with_context(|| name.to_owned())?;
            let cpu = stage.api_cpu()?.saturating_sub(before);
            let is_asked = !matches!(asked, Asked::EventOnTheBroker);
            rows.push(Row::of(name, load, is_asked.then_some(cpu)));
        }
        let machine_json = serde_json::to_value(&stage.machine)?;
        Ok(Self { machine: stage.machine.to_string(), machine_json, conditions, rows })
    }

    /// Writes the figures for programs.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let rows: Vec<Value> = self.rows.iter().map(Row::describe).collect();
        let Conditions { callers, seconds } = self.conditions;
        let all =
            json!({ "machine": self.machine_json, "callers": callers, "seconds": seconds, "rows": rows });
        let text = serde_json::to_string_pretty(&all)?;
        std::fs::write(file, text).with_context(|| file.display().to_string())
    }
}

impl Row {
    fn of(name: &'static str, load: Load, cpu: Option<Duration>) -> Self {
        let Load { mut times, took } = load;
        times.sort_unstable();
        let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX).max(1);
        Self {
            name,
            per_second: times.len() as f64 / took.as_secs_f64(),
            p50: at(50),
            p99: at(99),
            cpu: cpu.map(|cpu| cpu / count),
        }
    }

    fn describe(&self) -> Value {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        json!({
            "name": self.name,
            "perSecond": self.per_second,
            "p50Us": micros(self.p50),
            "p99Us": micros(self.p99),
            "apiCpuUs": self.cpu.map(micros),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conditions { callers, seconds } = self.conditions;
        write!(f, "{}", self.machine)?;
        writeln!(f, "callers {callers} (CALLERS), each row {seconds} s (SECONDS), the API on one core\n")?;
        writeln!(f, "{:<24} {:>9} {:>9} {:>9} {:>12}", "", "per s", "p50 ms", "p99 ms", "API CPU µs")?;
        for Row { name, per_second, p50, p99, cpu } in &self.rows {
            let millis = |time: &Duration| time.as_secs_f64() * 1e3;
            let cpu = cpu.map_or("-".to_owned(), |cpu| format!("{:.0}", cpu.as_secs_f64() * 1e6));
            writeln!(f, "{name:<24} {per_second:>9.0} {:>9.2} {:>9.2} {cpu:>12}", millis(p50), millis(p99))?;
        }
        Ok(())
    }
}
