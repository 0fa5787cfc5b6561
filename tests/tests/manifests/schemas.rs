//! Objects are what their schemas say, and all of what lies in the folder is rendered somewhere.

use std::fs;

use crate::ensure_none;
use crate::rendered::{across, kubernetes, overlays};

#[test]
fn every_object_is_what_its_schema_says() {
    ensure_none("kubectl would refuse, or drop, these", &across(|overlay| overlay.problems.clone()));
}

#[test]
fn overlays_are_whole() {
    for overlay in overlays() {
        let names: Vec<&str> = overlay.of_kind("Deployment").map(|object| object.name()).collect();
        let expected = ["bellhop-api", "bellhop-recorder", "bellhop-worker-live", "bellhop-worker-test"];
        assert_eq!(names, expected, "the deployments of {}", overlay.name);
        let names: Vec<&str> = overlay.of_kind("Job").map(|object| object.name()).collect();
        assert_eq!(names, ["bellhop-migrate", "bellhop-topology"], "the jobs of {}", overlay.name);
    }
}

/// A component that no overlay names would be rendered, and tested, by nobody.
#[test]
fn every_component_is_part_of_an_overlay() {
    let folder = kubernetes().join("components");
    let overlays = overlays().iter().map(|overlay| {
        let file = kubernetes().join("overlays").join(&overlay.name).join("kustomization.yaml");
        fs::read_to_string(file).expect("an overlay has a kustomization")
    });
    let overlays = overlays.collect::<String>();
    let names = fs::read_dir(folder).expect("there are components").map(|entry| {
        let name = entry.expect("it can be read").file_name();
        format!("components/{}\n", name.to_string_lossy())
    });
    let unused: Vec<String> = names.filter(|name| !overlays.contains(name.as_str())).collect();
    ensure_none("no overlay has these", &unused);
}

/// Only what is for a machine of one's own has secrets in it.
#[test]
fn no_secret_lies_in_the_repository() {
    let kept = across(|overlay| {
        let secrets = overlay.of_kind("Secret").map(|secret| secret.title());
        secrets.filter(|_| overlay.name != "local").collect::<Vec<_>>()
    });
    ensure_none("secrets are made outside", &kept);
}
