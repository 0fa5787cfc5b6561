//! Ports that nobody else takes while a server is down.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};
use rand::seq::SliceRandom as _;

/// Below the range that systems draw the ports of outgoing connections from (32768 and up on Linux): a case may kill a
/// server and start it again, and under load some connection would sit on its port by then.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// What this program has found so far. Whoever gets a port listens on it only seconds later, and other cases of this
/// program look for theirs meanwhile.
static FOUND: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Finds ports on which nobody listens, in random order so that parallel programs seldom meet.
///
/// # Errors
/// When there are not as many.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let mut candidates: Vec<u16> = RANGE.collect();
    candidates.shuffle(&mut rand::rng());
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let mut is_free =
        |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok() && found.insert(*port);
    let free: Vec<u16> = candidates.into_iter().filter(&mut is_free).take(count).collect();
    ensure!(free.len() == count, "there are not {count} free ports in {RANGE:?}");
    Ok(free)
}
