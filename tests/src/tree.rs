//! Where things lie in the repository.

use std::path::{Path, PathBuf};

/// The root of the repository.
///
/// # Panics
/// When this crate has been moved out of it.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository").to_owned()
}

/// A program or fixture below `tests/`.
#[must_use]
pub fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
