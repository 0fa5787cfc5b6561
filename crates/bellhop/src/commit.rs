//! Which source this binary was built from.

/// The commit, where the build was told it; `unknown` otherwise.
pub(crate) const COMMIT: &str = match option_env!("BELLHOP_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
