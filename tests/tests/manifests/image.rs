//! The image, and that everybody runs the same.

use std::collections::BTreeSet;
use std::fs;

use bellhop_tests::tree;

use crate::ensure_none;
use crate::rendered::{across, overlays};

/// A file of the repository.
fn read(path: &str) -> String {
    fs::read_to_string(tree::repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The value of the first line `key = "value"` in the root's Cargo.toml.
fn of_workspace(key: &str) -> String {
    let text = read("Cargo.toml");
    let mut values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    values.next().expect("the workspace says it").trim_matches('"').to_owned()
}

/// The lines of the Dockerfile that begin with a word, without it.
fn instructions(word: &str) -> Vec<String> {
    let text = read("deploy/Dockerfile");
    let lines = text.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    lines.map(ToOwned::to_owned).collect()
}

#[test]
fn every_process_runs_the_version_that_lies_here() {
    let version = of_workspace("version");
    for overlay in overlays() {
        let images: BTreeSet<&str> =
            overlay.own_pods().map(|pod| pod.program()["image"].as_str().expect("it has an image")).collect();
        assert_eq!(images.len(), 1, "{}: one Bellhop, not {images:?}", overlay.name);
        assert!(images.iter().all(|image| image.ends_with(&format!("bellhop:{version}"))), "{images:?}");
    }
}

/// What is tried in containers at home is what runs in the cluster.
#[test]
fn servers_are_those_of_the_local_stack() {
    let compose = read("deploy/compose.yaml");
    let pinned = compose.lines().filter_map(|line| line.trim().strip_prefix("image: "));
    let pinned: BTreeSet<String> = pinned.map(|image| format!("docker.io/library/{image}")).collect();
    let other = across(|overlay| {
        let servers = overlay.pods().filter(|pod| !pod.spec.is_null() && pod.owner.namespace() != "bellhop");
        let images = servers.flat_map(|pod| {
            let images = pod.containers().map(|container| container["image"].to_string());
            images.map(|image| image.trim_matches('"').to_owned()).collect::<Vec<_>>()
        });
        let clusters =
            overlay.of_kind("RabbitmqCluster").map(|cluster| cluster.text("/spec/image").to_owned());
        let images = images.chain(clusters);
        images.filter(|image| !pinned.contains(image)).collect::<Vec<_>>()
    });
    ensure_none("these are not the images of deploy/compose.yaml", &other);
}

#[test]
fn the_image_is_built_with_the_rust_that_is_asked_for() {
    let told = instructions("ARG").into_iter().find_map(|line| line.strip_prefix("RUST=").map(str::to_owned));
    let wanted = format!("docker.io/library/rust:{}.", of_workspace("rust-version"));
    assert!(told.as_ref().is_some_and(|image| image.starts_with(&wanted)), "{told:?}, not {wanted}…");
}

/// Kubernetes can tell of a number alone that it is not root's, and files belong to whom the pods run as.
#[test]
fn the_image_runs_as_who_pods_run_as() {
    let user = instructions("USER").pop().expect("the image says who runs it");
    let wrong = across(|overlay| {
        let others = overlay.own_pods().filter(|pod| {
            let context = &pod.spec["securityContext"];
            format!("{}:{}", context["runAsUser"], context["runAsGroup"]) != user
        });
        others.map(|pod| pod.owner.title()).collect::<Vec<_>>()
    });
    ensure_none("these run as somebody else", &wrong);
}

/// What .dockerignore holds back cannot be copied, and the builder's message does not say why.
#[test]
fn what_is_copied_is_let_through() {
    let ignored = read(".dockerignore");
    let through: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let copied =
        instructions("COPY").into_iter().filter(|line| !line.starts_with("--from")).flat_map(|line| {
            let words: Vec<String> = line.split_whitespace().map(ToOwned::to_owned).collect();
            words[..words.len() - 1].to_vec()
        });
    let held: Vec<String> = copied
        .filter(|path| !through.iter().any(|one| one.split('/').zip(path.split('/')).all(|(a, b)| a == b)))
        .collect();
    ensure_none(".dockerignore holds these back", &held);
}
