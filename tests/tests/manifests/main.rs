//! Renders every overlay of deploy/kubernetes as an operator would, and holds what comes out against schemas, against itself
//! and against the program.
//!
//! `make test` installs what it takes: kubectl and the schemas come with `tests/tools/requirements.txt`.

mod broker;
mod image;
mod network;
mod pods;
mod rendered;
mod scaling;
mod schemas;
mod secrets;
mod selectors;
mod settings;

/// Fails with all that is wrong, not only the first.
fn ensure_none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}
