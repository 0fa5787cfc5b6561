//! Every Rust file is part of a crate: one that nobody declares is compiled by nobody and rots.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::{Source, ensure_none, sources};

/// The files that crates begin with.
const ROOTS: [&str; 3] = ["lib.rs", "main.rs", "build.rs"];

#[test]
fn every_rust_file_is_declared_by_its_parent() {
    let sources = sources();
    let texts: BTreeMap<&Path, &str> = sources
        .iter()
        .filter(|source| source.has_extension("rs"))
        .map(|source| (source.path.as_path(), source.text.as_str()))
        .collect();
    let mut reached = BTreeSet::new();
    let mut open: Vec<PathBuf> = sources.iter().filter(|s| is_root(s)).map(|s| s.path.clone()).collect();
    while let Some(path) = open.pop() {
        let Some(text) = texts.get(path.as_path()) else { continue };
        if reached.insert(path.clone()) {
            open.extend(declared(text).map(|name| place(&path, name)));
        }
    }
    let lost: Vec<String> = texts
        .keys()
        .filter(|path| !reached.contains(**path))
        .map(|path| path.display().to_string())
        .collect();
    ensure_none("no `mod` leads to these files", &lost);
}

#[test]
fn modules_lie_where_their_names_say() {
    let attribute = ["#[", "path"].concat();
    let moved: Vec<String> = sources()
        .iter()
        .filter(|source| source.has_extension("rs"))
        .filter(|source| source.text.lines().any(|line| line.trim_start().starts_with(&attribute)))
        .map(|source| source.path.display().to_string())
        .collect();
    ensure_none("a module's place follows from its name", &moved);
    let old: Vec<String> = sources()
        .iter()
        .filter(|source| source.name() == "mod.rs")
        .map(|source| source.path.display().to_string())
        .collect();
    ensure_none("a module with children is `name.rs` beside the folder `name`", &old);
}

/// Crate roots by name, and each file that cargo takes for a program or test of its own.
fn is_root(source: &Source) -> bool {
    let parent = source.path.parent().and_then(Path::file_name).unwrap_or_default();
    let is_in_src = source.path.iter().any(|part| part == "src");
    let folders: &[&str] = if is_in_src { &["bin"] } else { &["tests", "examples", "benches"] };
    let is_target = folders.iter().any(|folder| parent == *folder);
    source.has_extension("rs") && (ROOTS.contains(&source.name()) || is_target)
}

/// The names in `mod name;`, whatever their visibility.
fn declared(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim().strip_suffix(';')?;
        let (visibility, name) = line.rsplit_once("mod ")?;
        let is_declaration = visibility.is_empty() || visibility.trim_end().starts_with("pub");
        is_declaration.then_some(name)
    })
}

/// Where the module lies that `parent` declares: beside a crate's root, otherwise in the folder named like its parent.
fn place(parent: &Path, name: &str) -> PathBuf {
    let is_root = parent.file_name().is_some_and(|file| ROOTS.iter().any(|root| file == *root));
    let folder = if is_root { parent.parent().map(Path::to_owned) } else { Some(parent.with_extension("")) };
    folder.unwrap_or_default().join(format!("{name}.rs"))
}
