//! Ports that nobody else takes while a server is down.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, ensure};
use rand::seq::SliceRandom as _;

/// Below the range that systems draw the ports of outgoing connections from (32768 and up on Linux): a case may kill a
/// server and start it again, and under load some connection would sit on its port by then.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Finds ports on which nobody listens, in random order so that parallel programs seldom meet.
///
/// # Errors
/// When there are not as many.
pub(super) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let mut candidates: Vec<u16> = RANGE.collect();
    candidates.shuffle(&mut rand::rng());
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let free: Vec<u16> = candidates.into_iter().filter(is_free).take(count).collect();
    ensure!(free.len() == count, "there are not {count} free ports in {RANGE:?}");
    Ok(free)
}
