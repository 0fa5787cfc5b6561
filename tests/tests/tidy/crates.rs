//! The arrows between crates, and what only one of them may touch.

use std::collections::BTreeMap;

use bellhop_tests::tree;
use cargo_metadata::{Dependency, DependencyKind, MetadataCommand, Package};

use crate::{Source, ensure_none, sources};

/// What each crate may use of the others. Arrows point down only; a new one is a change of design.
const ARROWS: [(&str, &[&str]); 11] = [
    ("bellhop-model", &[]),
    ("bellhop-broker", &["bellhop-model"]),
    ("bellhop-store", &["bellhop-model"]),
    ("bellhop-sender", &["bellhop-model"]),
    ("bellhop-runtime", &[]),
    ("bellhop-producer", &["bellhop-model", "bellhop-broker"]),
    (
        "bellhop-worker",
        &["bellhop-model", "bellhop-broker", "bellhop-store", "bellhop-sender", "bellhop-runtime"],
    ),
    ("bellhop-recorder", &["bellhop-model", "bellhop-broker", "bellhop-store", "bellhop-runtime"]),
    (
        "bellhop-api",
        &["bellhop-model", "bellhop-broker", "bellhop-store", "bellhop-producer", "bellhop-runtime"],
    ),
    (
        "bellhop",
        &[
            "bellhop-model",
            "bellhop-broker",
            "bellhop-store",
            "bellhop-sender",
            "bellhop-runtime",
            "bellhop-producer",
            "bellhop-worker",
            "bellhop-recorder",
            "bellhop-api",
        ],
    ),
    ("bellhop-tests", &["*"]),
];

/// The only crate, besides the tests, that may use a library.
const ONLY: [(&str, &str); 12] = [
    ("lapin", "bellhop-broker"),
    ("tokio-postgres", "bellhop-store"),
    ("tokio-postgres-rustls", "bellhop-store"),
    ("deadpool-postgres", "bellhop-store"),
    ("refinery", "bellhop-store"),
    ("redis", "bellhop-store"),
    ("deadpool-redis", "bellhop-store"),
    ("moka", "bellhop-store"),
    ("hickory-resolver", "bellhop-sender"),
    ("hmac", "bellhop-model"),
    ("clap", "bellhop"),
    ("anyhow", "bellhop"),
];

/// Crates that may be HTTP clients. Strangers are called by the sender alone; the program's `doctor` asks the
/// management of the operator's own RabbitMQ.
const CLIENTS: [&str; 2] = ["bellhop-sender", "bellhop"];

/// Features by which a library becomes an HTTP client.
const CLIENT_FEATURES: [(&str, &str); 3] =
    [("hyper", "client"), ("hyper-util", "client"), ("hyper-util", "client-legacy")];

const TESTS: &str = "bellhop-tests";

#[test]
fn arrows_between_crates_point_down() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into();
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package.name.as_str();
        let Some(may_use) = allowed.get(name) else {
            wrong.push(format!("{name} is in no table of the design"));
            continue;
        };
        let arrows = shipped(&package).filter(|dependency| dependency.name.starts_with("bellhop"));
        let excess = arrows
            .filter(|dependency| !may_use.contains(&"*") && !may_use.contains(&dependency.name.as_str()));
        wrong.extend(excess.map(|dependency| format!("{name} uses {}", dependency.name)));
    }
    ensure_none("a new arrow between crates is a change of design", &wrong);
}

#[test]
fn each_outside_world_is_spoken_to_by_one_crate() {
    let only: BTreeMap<&str, &str> = ONLY.into();
    let mut wrong = Vec::new();
    for package in packages().iter().filter(|package| package.name.as_str() != TESTS) {
        let name = package.name.as_str();
        for dependency in shipped(package) {
            let owner = only.get(dependency.name.as_str());
            wrong.extend(
                owner.filter(|owner| **owner != name).map(|_| format!("{name} uses {}", dependency.name)),
            );
            let has = |(library, feature): &(&str, &str)| {
                dependency.name == *library && dependency.features.iter().any(|found| found == feature)
            };
            if !CLIENTS.contains(&name) && CLIENT_FEATURES.iter().any(has) {
                wrong.push(format!("{name} uses {} as a client", dependency.name));
            }
        }
    }
    ensure_none("broker, store and sender are the only ways out", &wrong);
}

#[test]
fn versions_stand_in_the_root_alone() {
    let mut wrong = Vec::new();
    // The fuzz targets are a workspace of their own, and so its root.
    let is_member = |source: &Source| {
        source.name() == "Cargo.toml" && !source.text.lines().any(|line| line == "[workspace]")
    };
    for source in sources().iter().filter(|source| is_member(source)) {
        let mut is_list = false;
        for (number, line) in source.text.lines().enumerate() {
            if line.starts_with('[') {
                is_list = line.ends_with("dependencies]");
            } else if is_list && line.contains('=') && !line.contains("workspace = true") {
                wrong.push(format!("{}:{}: {line}", source.path.display(), number + 1));
            }
        }
    }
    ensure_none("a dependency says `workspace = true`", &wrong);
}

#[test]
fn every_crate_says_in_a_sentence_what_it_is() {
    let silent: Vec<String> = packages()
        .iter()
        .filter(|package| !package.description.as_ref().is_some_and(|said| said.ends_with('.')))
        .map(|package| package.name.to_string())
        .collect();
    ensure_none("a crate has a description that is a sentence", &silent);
}

fn packages() -> Vec<Package> {
    let manifest = tree::repository().join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec();
    metadata.expect("cargo describes the workspace").packages
}

/// What ends up in the program: tests may use what they like.
fn shipped(package: &Package) -> impl Iterator<Item = &Dependency> {
    package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development)
}
