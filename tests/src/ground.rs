//! The throwaway folder of one test program, and the sweeping of those that dead programs left.
//!
//! A folder belongs to whoever holds the lock on its file `owner`; the kernel lets go of it however the program ends,
//! so a folder whose lock can be had has no owner. Inside lies one folder per stack.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};

use crate::stack;

/// What the folder of a test program is called, before its pid.
const PREFIX: &str = "bellhop-tests-";

/// The file that an owner holds locked.
const LOCK: &str = "owner";

/// A folder that is removed at the end.
#[derive(Debug)]
pub struct Ground {
    folder: PathBuf,
    stacks: AtomicUsize,
    _lock: File,
}

impl Ground {
    /// Removes what dead programs left, then makes this program's folder where temporary files lie.
    ///
    /// # Errors
    /// When the folder cannot be made; one that cannot be swept is told and left.
    pub fn prepare() -> Result<Self> {
        Self::prepare_in(&std::env::temp_dir())
    }

    /// The same in another place.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn prepare_in(parent: &Path) -> Result<Self> {
        for abandoned in abandoned_folders(parent)? {
            match remove(&abandoned) {
                Ok(()) => eprintln!("removed what an earlier run left: {}", abandoned.display()),
                Err(error) => eprintln!("could not remove {}: {error:#}", abandoned.display()),
            }
        }
        Self::make(parent).context("make the throwaway folder")
    }

    /// Names a folder for one more stack.
    pub fn stack_folder(&self) -> PathBuf {
        let number = self.stacks.fetch_add(1, Ordering::Relaxed);
        self.folder.join(format!("stack-{number}"))
    }

    /// Writes a file that goes with the folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn scratch_file(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, content).context("write a file in the throwaway folder")?;
        Ok(path)
    }

    /// Ends all servers that have their data here and removes the folder; twice is harmless.
    pub fn remove(&self) {
        if !self.folder.exists() {
            return;
        }
        if let Err(error) = remove(&self.folder) {
            eprintln!("could not remove {}: {error:#}", self.folder.display());
        }
    }

    /// Locked under another name and then renamed, so that no sweeper meets it without an owner.
    fn make(parent: &Path) -> Result<Self> {
        let unready = parent.join(format!("new-{PREFIX}{}", process::id()));
        let folder = parent.join(format!("{PREFIX}{}", process::id()));
        fs::create_dir(&unready)?;
        // PostgreSQL may run as another user, who must pass through.
        fs::set_permissions(&unready, Permissions::from_mode(0o711))?;
        let lock = File::create(unready.join(LOCK))?;
        lock.lock()?;
        fs::rename(&unready, &folder)?;
        Ok(Self { folder, stacks: AtomicUsize::new(0), _lock: lock })
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.remove();
    }
}

fn abandoned_folders(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut abandoned = Vec::new();
    for entry in fs::read_dir(parent).context("list the folder for temporary files")? {
        let path = entry?.path();
        let is_ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if is_ours && File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok()) {
            abandoned.push(path);
        }
    }
    Ok(abandoned)
}

/// Stops what may still run on the folder's stacks, then removes it.
fn remove(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            stack::destroy(&path)?;
        }
    }
    fs::remove_dir_all(folder).context("remove the folder")
}
