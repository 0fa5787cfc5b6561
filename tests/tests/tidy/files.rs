//! What files there may be, how long they are, and how they begin.

use std::collections::BTreeSet;
use std::fs;

use bellhop_tests::tree;

use crate::{ensure_none, sources};

/// A file is one idea. Formatting keeps lines short, so lines measure it.
const LINES_MAX: usize = 500;

/// The top level, besides dotfiles and the folder that builds go to.
const TOP_LEVEL: [&str; 10] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "config",
    "crates",
    "deploy",
    "tests",
];

/// Names that say nothing, so that anything ends up in them.
const EMPTY_NAMES: [&str; 13] = [
    "common",
    "core",
    "helper",
    "helpers",
    "imp",
    "manager",
    "misc",
    "type",
    "types",
    "util",
    "utilities",
    "utility",
    "utils",
];

#[test]
fn the_top_level_is_what_a_reader_was_told() {
    let entries = fs::read_dir(tree::repository()).expect("the root can be listed");
    let found: BTreeSet<String> = entries
        .map(|entry| entry.expect("an entry can be read").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    assert_eq!(found, TOP_LEVEL.map(ToOwned::to_owned).into());
}

#[test]
fn files_are_one_idea_long() {
    let is_written = |name: &str| name != "Cargo.lock" && name != "LICENSE";
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| is_written(source.name()) && LINES_MAX < source.text.lines().count())
        .map(|source| format!("{} has {} lines", source.path.display(), source.text.lines().count()))
        .collect();
    ensure_none("a file has at most 500 lines; split it by its ideas", &long);
}

#[test]
fn names_say_something() {
    let empty: Vec<String> = sources()
        .iter()
        .filter(|source| {
            let mut parts = source.path.iter().map(|part| part.to_string_lossy());
            parts.any(|part| part.split('.').next().is_some_and(|stem| EMPTY_NAMES.contains(&stem)))
        })
        .map(|source| source.path.display().to_string())
        .collect();
    ensure_none("a file is named by what it is about", &empty);
}

#[test]
fn rust_files_begin_with_their_purpose() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|source| source.has_extension("rs") && !source.text.starts_with("//! "))
        .filter(|source| source.name() != "tests.rs")
        .map(|source| source.path.display().to_string())
        .collect();
    ensure_none("a Rust file begins with `//!` and its purpose (tests.rs has its parent's)", &silent);
}

#[test]
fn markdown_files_have_one_title() {
    let untitled: Vec<String> = sources()
        .iter()
        .filter(|source| source.has_extension("md"))
        .filter(|source| titles(&source.text) != 1 || !source.text.starts_with("# "))
        .map(|source| format!("{} has {} titles", source.path.display(), titles(&source.text)))
        .collect();
    ensure_none("a Markdown file begins with its only `# ` title", &untitled);
}

#[test]
fn text_ends_with_a_newline_and_has_no_trailing_blanks() {
    let untidy = sources().into_iter().filter(|source| !source.text.is_empty()).flat_map(|source| {
        let path = source.path.display().to_string();
        let end = (!source.text.ends_with('\n')).then(|| format!("{path} does not end with a newline"));
        let lines = source.text.lines().enumerate().filter(|(_, line)| line.ends_with([' ', '\t']));
        let blanks = lines.map(|(number, _)| format!("{path}:{} ends in a blank", number + 1));
        blanks.chain(end).collect::<Vec<_>>()
    });
    let untidy: Vec<String> = untidy.collect();
    ensure_none("lines end where their text ends", &untidy);
}

/// Counts first-level headings outside of fenced code, where `#` begins a comment of some shell.
fn titles(text: &str) -> usize {
    let mut is_code = false;
    text.lines()
        .filter(|line| {
            is_code ^= line.trim_start().starts_with("```");
            !is_code && line.starts_with("# ")
        })
        .count()
}
