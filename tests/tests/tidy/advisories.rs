//! Libraries that have, or had, a published weakness: none older than its remedy is in the lock file.
//!
//! Instead of a tool that fetches its database while it runs. Sources: the RustSec advisories as of November 2026.

use std::fs;

use bellhop_tests::tree;
use cargo_metadata::semver::{Version, VersionReq};

use crate::ensure_none;

/// The versions that are sound, where a library is used at all. Several ranges: any of them.
const SOUND: [(&str, &[&str]); 17] = [
    ("aws-lc-sys", &[">=0.39"]),
    ("bytes", &[">=1.11.1"]),
    ("crossbeam-channel", &[">=0.5.15"]),
    ("h2", &[">=0.4.16"]),
    ("idna", &[">=1.0"]),
    // Not an advisory: earlier versions acknowledge with a dead channel's tags after recovery.
    ("lapin", &[">=4.12.3"]),
    ("lru", &[">=0.18.2"]),
    ("postgres-protocol", &[">=0.6.12"]),
    ("protobuf", &[">=3.7.2"]),
    ("rand", &[">=0.10.1", ">=0.9.3, <0.10"]),
    ("rustls", &[">=0.23.18"]),
    ("rustls-webpki", &[">=0.103.13"]),
    ("slab", &[">=0.4.11"]),
    ("time", &[">=0.3.47"]),
    ("tokio", &[">=1.44.2"]),
    ("tokio-postgres", &[">=0.7.18"]),
    ("tracing-subscriber", &[">=0.3.20"]),
];

/// Libraries that nobody maintains, or that are unsound in every version.
const ABANDONED: [&str; 14] = [
    "async-std",
    "backoff",
    "bincode",
    "instant",
    "number_prefix",
    "paste",
    "proc-macro-error",
    "rustls-pemfile",
    "serde_yml",
    "tokio-tar",
    "trust-dns-proto",
    "trust-dns-resolver",
    "yaml-rust",
    "openssl-sys",
];

#[test]
fn no_library_has_a_weakness_that_is_published() {
    let weak: Vec<String> = locked()
        .into_iter()
        .filter(|(name, version)| {
            let sound = SOUND.iter().find(|(known, _)| known == name);
            sound.is_some_and(|(_, ranges)| !ranges.iter().any(|range| satisfies(version, range)))
        })
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    ensure_none("these versions have published weaknesses; update them", &weak);
}

#[test]
fn no_library_is_abandoned() {
    let abandoned: Vec<String> = locked()
        .into_iter()
        .filter(|(name, _)| ABANDONED.contains(&name.as_str()))
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    ensure_none("nobody maintains these (or they bring a second TLS); replace them", &abandoned);
}

fn satisfies(version: &Version, range: &str) -> bool {
    VersionReq::parse(range).expect("a range of the table is well formed").matches(version)
}

/// Names and versions in the lock file, whose form cargo fixes: `name = "…"`, then `version = "…"`.
fn locked() -> Vec<(String, Version)> {
    let text = fs::read_to_string(tree::repository().join("Cargo.lock")).expect("there is a lock file");
    let value = |line: &str, key: &str| {
        let quoted = line.strip_prefix(key)?.strip_prefix(" = ")?;
        Some(quoted.trim_matches('"').to_owned())
    };
    let lines: Vec<&str> = text.lines().collect();
    let locked: Vec<(String, Version)> = lines
        .windows(2)
        .filter_map(|pair| {
            let (name, version) = (value(pair[0], "name")?, value(pair[1], "version")?);
            Some((name, Version::parse(&version).expect("cargo writes versions")))
        })
        .collect();
    assert!(locked.len() > 100, "the lock file is read wrongly: {} packages", locked.len());
    locked
}
