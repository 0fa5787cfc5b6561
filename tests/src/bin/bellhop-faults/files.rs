//! Where the servers of a measurement keep their files.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;

/// Where files in memory lie.
const MEMORY: &str = "/dev/shm";

/// What a run may have in files at once, in bytes: some hundred thousand events, each written three times, and its records.
const MEMORY_FREE_MIN: u64 = 4 << 30;

/// Where servers keep their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Files {
    /// In memory. A disk that is shared with other machines stands still at random, for longer than whatever is to be
    /// measured here, and with harm as often as without.
    Memory,
    /// On the disk, where temporary files are.
    Disk,
}

impl Files {
    /// Reads the environment.
    pub(crate) fn read() -> Result<Self> {
        match std::env::var("FILES") {
            Err(_) => Ok(Self::Memory),
            Ok(files) => Self::named(&files),
        }
    }

    fn named(name: &str) -> Result<Self> {
        match name {
            "memory" => Ok(Self::Memory),
            "disk" => Ok(Self::Disk),
            other => bail!("FILES is `{other}`; it is `memory` or `disk`"),
        }
    }

    /// The folder, if it has room.
    pub(crate) fn folder(self) -> Result<PathBuf> {
        if self == Self::Disk {
            return Ok(std::env::temp_dir());
        }
        let output = Command::new("df").args(["--output=avail", "--block-size=1", MEMORY]).output();
        let told = String::from_utf8(output.context("run df")?.stdout)?;
        let free = told.lines().last().and_then(|line| line.trim().parse::<u64>().ok());
        let free = free
            .with_context(|| format!("df does not tell what is free in {MEMORY}; FILES=disk does without"))?;
        ensure!(
            MEMORY_FREE_MIN <= free,
            "{MEMORY} has {} MiB, and the servers' files may take {} MiB; FILES=disk does without",
            free >> 20,
            MEMORY_FREE_MIN >> 20
        );
        Ok(PathBuf::from(MEMORY))
    }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "in memory",
            Self::Disk => "on the disk",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_in_memory_or_on_the_disk() {
        assert_eq!(Files::named("disk").expect("known"), Files::Disk);
        assert_eq!(Files::Disk.folder().expect("there is one"), std::env::temp_dir());
        let refusal = Files::named("ram").expect_err("unknown").to_string();
        assert_eq!(refusal, "FILES is `ram`; it is `memory` or `disk`");
    }
}
