//! CPU time of PostgreSQL: its postmaster's, its processes', and that of those which have ended.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio_postgres::Client;

use super::role::TICK;

/// The process that all of PostgreSQL's processes come from.
#[derive(Debug, Clone, Copy)]
pub struct Postmaster(u32);

/// A process as `/proc` tells of it.
struct Process {
    parent: u32,
    own: u32,
    ended_children: u32,
}

impl Postmaster {
    /// That of the server behind a connection, which is on this machine.
    ///
    /// # Errors
    /// When the server or the kernel does not tell.
    pub async fn of(server: &Client) -> Result<Self> {
        let backend: i32 = server.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
        let backend = read(backend.unsigned_abs()).context("a backend has a process")?;
        Ok(Self(backend.parent))
    }

    /// CPU time so far, user and system.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn cpu(self) -> Result<Duration> {
        let Self(postmaster) = self;
        let mut ticks = 0;
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            // Who ends meanwhile counts among the ended.
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let Some(process) = read(pid) else { continue };
            if pid == postmaster {
                ticks += process.own + process.ended_children;
            } else if process.parent == postmaster {
                ticks += process.own;
            }
        }
        Ok(TICK * ticks)
    }
}

fn read(pid: u32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may hold blanks.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(Process {
        parent: number(1)?,
        own: number(11)? + number(12)?,
        ended_children: number(13)? + number(14)?,
    })
}
