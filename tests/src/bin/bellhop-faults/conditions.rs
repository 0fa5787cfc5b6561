//! What can be chosen, through environment variables.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, bail};
use bellhop_store::RECOVERY_PACE_MAX;
use bellhop_tests::choice::number;
use bellhop_tests::tree;
use serde::Serialize;

use crate::files::Files;
use crate::scenarios::{SCENARIOS, Scenario};

/// What a run is like.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Conditions {
    /// Events per second where all webhooks get equally many; a trickle is a tenth of it.
    pub(crate) rate: usize,
    /// How long a half publishes at its rate.
    pub(crate) seconds: usize,
    /// Events of a burst or flood.
    pub(crate) events: usize,
    /// Dead endpoints at once.
    pub(crate) dead: usize,
    /// Exhausted deliveries that a recovery owes again.
    pub(crate) recover: usize,
    /// How many of them a second.
    pub(crate) pace: usize,
    /// How often the halves of a comparison are performed.
    pub(crate) pairs: usize,
    /// Where the servers keep their files.
    pub(crate) files: Files,
    /// The scenarios, in the order of the table.
    #[serde(skip)]
    pub(crate) scenarios: Vec<&'static Scenario>,
    /// Where the figures go.
    #[serde(skip)]
    pub(crate) output: PathBuf,
}

impl Conditions {
    /// Reads the environment.
    pub(crate) fn read() -> Result<Self> {
        Ok(Self {
            rate: number("RATE", 3_000, 100..=20_000)?,
            seconds: number("SECONDS", 60, 5..=600)?,
            events: number("EVENTS", 100_000, 500..=500_000)?,
            dead: number("DEAD", 10_000, 30..=30_000)?,
            recover: number("RECOVER", 100_000, 100..=1_000_000)?,
            pace: number("PACE", RECOVERY_PACE_MAX as usize, 1..=RECOVERY_PACE_MAX as usize)?,
            pairs: number("PAIRS", 3, 1..=15)?,
            files: Files::read()?,
            scenarios: match std::env::var("ROWS") {
                Ok(names) => chosen(&names)?,
                Err(_) => SCENARIOS.iter().collect(),
            },
            output: std::env::var_os("OUTPUT")
                .map_or_else(|| tree::repository().join("target/bench/isolation.json"), PathBuf::from),
        })
    }

    /// Events per second of a trickle.
    pub(crate) fn trickle(&self) -> usize {
        self.rate / 10
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, seconds, events, dead, recover, pace, pairs, files, scenarios, .. } = self;
        let trickle = self.trickle();
        writeln!(
            f,
            "{rate} events/s (RATE), a trickle {trickle}/s, for {seconds} s (SECONDS), in {pairs} rounds (PAIRS)"
        )?;
        write!(
            f,
            "bursts of {events} (EVENTS), {dead} dead endpoints (DEAD), {recover} recovered (RECOVER), {pace} a second (PACE), servers' files {files} (FILES), {} of {} scenarios (ROWS)",
            scenarios.len(),
            SCENARIOS.len()
        )
    }
}

fn chosen(names: &str) -> Result<Vec<&'static Scenario>> {
    let mut scenarios = Vec::new();
    for name in names.split(',').map(str::trim) {
        let Some(scenario) = SCENARIOS.iter().find(|scenario| scenario.name == name) else {
            let known: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            bail!("ROWS has `{name}`, which is no scenario; there are: {}", known.join(", "));
        };
        scenarios.push(scenario);
    }
    Ok(scenarios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_chosen_by_name_in_the_order_given() {
        let names: Vec<&str> =
            chosen("burst, mixed").expect("known names").iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["burst", "mixed"]);
        let refusal = chosen("mixed,unheard").expect_err("an unknown name").to_string();
        assert!(refusal.contains("`unheard`") && refusal.contains("slow-drain"), "{refusal}");
    }
}
