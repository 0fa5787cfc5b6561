//! Ports that nobody else takes while a server is down.

use std::fs::{self, File, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use rand::seq::SliceRandom as _;

/// Below the range that systems draw the ports of outgoing connections from (32768 and up on Linux): a case may kill a
/// server and start it again, and under load some connection would sit on its port by then.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// The folder, among temporary files, of one file for each port that was ever found. Whoever gets a port listens on it only
/// seconds later; until then, and whenever its server is down, a lock on the file says that it is taken. The user's number
/// follows the name: what one user has made, another may not write.
const FOLDER: &str = "bellhop-ports";

/// The locks of this program. They end with it, however it ends.
static LOCKS: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// Finds ports on which nobody listens and that are no other case's and no other program's, in random order so that few ask
/// for the same.
///
/// # Errors
/// When there are not as many, or no file can be locked.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let folder = folder()?;
    let mut candidates: Vec<u16> = RANGE.collect();
    candidates.shuffle(&mut rand::rng());
    let mut found = Vec::with_capacity(count);
    for port in candidates {
        if found.len() == count {
            break;
        }
        // Locked first: what nobody listens on a moment earlier may be another's by now.
        let Some(lock) = lock(&folder, port)? else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            found.push(port);
            LOCKS.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
        }
    }
    ensure!(found.len() == count, "there are not {count} free ports in {RANGE:?}");
    Ok(found)
}

fn folder() -> Result<PathBuf> {
    let user = fs::metadata("/proc/self").context("ask which user runs this")?.uid();
    let folder = std::env::temp_dir().join(format!("{FOLDER}-{user}"));
    fs::create_dir_all(&folder).with_context(|| format!("make `{}`", folder.display()))?;
    Ok(folder)
}

/// Locks a port's file, unless somebody has.
fn lock(folder: &Path, port: u16) -> Result<Option<File>> {
    let path = folder.join(port.to_string());
    let file = File::create(&path).with_context(|| format!("make `{}`", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("lock `{}`", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_stays_locked() -> Result<()> {
        let folder = folder()?;
        for port in free_ports(20)? {
            ensure!(lock(&folder, port)?.is_none(), "port {port} can be found twice");
        }
        Ok(())
    }

    #[test]
    fn a_port_is_ones_own_until_one_ends() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("{FOLDER}-of-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let mine = lock(&folder, 20_000)?;
        ensure!(mine.is_some() && lock(&folder, 20_000)?.is_none() && lock(&folder, 20_001)?.is_some());
        drop(mine);
        ensure!(lock(&folder, 20_000)?.is_some());
        Ok(fs::remove_dir_all(&folder)?)
    }
}
