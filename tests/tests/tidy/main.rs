//! Reads the repository and holds it against its own rules, so that reviews can be about something else.
//!
//! A rule with a good exception says so where it is stated; the rules serve the reader, never the other way round.

mod advisories;
mod crates;
mod files;
mod modules;
mod observing;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use bellhop_tests::tree;

/// A file of the repository.
struct Source {
    /// Relative to the root, for messages.
    path: PathBuf,
    /// Its text; empty when it is not UTF-8, as pictures are not.
    text: String,
}

impl Source {
    fn has_extension(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|found| found == extension)
    }

    fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }
}

/// Every file but those of builds, of version control and of running servers, which lie in folders with a dot.
fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    collect(&tree::repository(), &mut sources);
    assert!(sources.len() > 50, "the repository is not where it was: only {} files", sources.len());
    sources
}

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).expect("a folder of the repository can be listed");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_foreign = name == "target" || name == "node_modules" || name == "__pycache__";
        match (path.is_dir(), is_foreign || name.starts_with('.')) {
            (true, true) => {}
            (true, false) => collect(&path, sources),
            (false, _) => sources
                .push(Source { text: fs::read_to_string(&path).unwrap_or_default(), path: relative(&path) }),
        }
    }
}

fn relative(path: &Path) -> PathBuf {
    path.strip_prefix(tree::repository()).expect("it lies in the repository").to_owned()
}

/// Fails with all that is wrong, not only the first.
fn ensure_none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}
