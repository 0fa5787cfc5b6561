//! Settings that the program knows, with values that it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bellhop_tests::program::{self, Program};
use bellhop_tests::tree;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::ensure_none;
use crate::network::mounted;
use crate::rendered::{Overlay, Pod, across, list, overlays};
use crate::secrets::{self, Secrets};

/// Where credentials are mounted.
const MOUNT: &str = "/etc/bellhop/credentials/";

/// What a service says once it has taken its configuration.
const SERVING: &str = "serving probes and metrics";

/// The exit code for a configuration that cannot be.
const REFUSED: i32 = 2;

/// Every variable of a pod's program.
fn variables(overlay: &Overlay, pod: &Pod<'_>) -> BTreeMap<String, String> {
    let shared = overlay.config().as_object().expect("settings are a map").iter();
    let shared = shared.map(|(name, value)| (name.clone(), value.as_str().expect("it is text").to_owned()));
    let own = list(&pod.program()["env"]).map(|variable| {
        let part = |key: &str| variable[key].as_str().expect("it is text").to_owned();
        (part("name"), part("value"))
    });
    shared.chain(own).collect()
}

#[test]
fn every_setting_exists() {
    let reference = fs::read_to_string(tree::repository().join("config/bellhop.toml")).expect("it is there");
    let is_end = |letter: char| !(letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_');
    let known: Vec<&str> = reference.split(is_end).filter(|word| word.starts_with("BELLHOP_")).collect();
    let unknown = across(|overlay| {
        let names = overlay.own_pods().flat_map(|pod| variables(overlay, &pod).into_keys());
        let unknown = names.filter(|name| !known.contains(&name.as_str()));
        unknown.collect::<BTreeSet<_>>()
    });
    ensure_none("the program has no such setting", &unknown);
}

#[test]
fn every_process_reads_the_shared_settings() {
    let wrong = across(|overlay| {
        let others = overlay.own_pods().filter(|pod| {
            let name = &pod.program()["envFrom"][0]["configMapRef"]["name"];
            !name.as_str().is_some_and(|name| name.starts_with("bellhop-config-"))
        });
        others.map(|pod| pod.owner.title()).collect::<Vec<_>>()
    });
    ensure_none("these go by defaults", &wrong);
}

#[test]
fn every_file_that_a_setting_names_is_mounted() {
    let missing = across(|overlay| {
        let missing = overlay.own_pods().flat_map(|pod| {
            let mounted = mounted(&pod);
            let mount = &pod.program()["volumeMounts"][0]["mountPath"];
            assert_eq!(mount, MOUNT.trim_end_matches('/'), "{}", pod.owner.title());
            let files = variables(overlay, &pod).into_values();
            let files = files.filter_map(|value| value.strip_prefix(MOUNT).map(ToOwned::to_owned));
            let missing = files.filter(move |file| !mounted.contains(file));
            missing.map(|file| format!("{file} in {}", pod.owner.title())).collect::<Vec<_>>()
        });
        missing.collect::<Vec<_>>()
    });
    ensure_none("these files are not there", &missing);
}

/// The lanes of both deployments are all there are, each once: none is served by nobody.
#[test]
fn every_lane_is_served_by_one_deployment() {
    for overlay in overlays() {
        let served = overlay.own_pods().filter_map(|pod| {
            let lanes = variables(overlay, &pod).remove("BELLHOP_WORKER_LANES")?;
            let mode = pod.component().strip_prefix("worker-").expect("only workers have lanes");
            assert!(lanes.split(',').all(|lane| lane.starts_with(&format!("{mode}."))), "{lanes}");
            Some(lanes)
        });
        let served: Vec<String> = served.collect();
        let expected = ["live.fresh,live.slow,live.due", "test.fresh,test.slow,test.due"];
        assert_eq!(served, expected, "{}", overlay.name);
    }
}

/// Each process is started as its pod would start it, with servers that are not there: it must get as far as asking them.
#[tokio::test]
async fn the_program_takes_its_settings() -> Result<()> {
    let binary = program::build().await?;
    for overlay in overlays() {
        let secrets = secrets::of(overlay);
        for pod in overlay.own_pods() {
            let told = format!("{} of {}", pod.owner.title(), overlay.name);
            start(&binary, overlay, &pod, &secrets).await.context(told)?;
        }
    }
    Ok(())
}

async fn start(binary: &Path, overlay: &Overlay, pod: &Pod<'_>, secrets: &Secrets) -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&overlay.name).join(pod.owner.name());
    lay_out(&folder, pod, secrets)?;
    let mut environment = variables(overlay, pod);
    for value in environment.values_mut() {
        *value = value.replace(MOUNT, &format!("{}/", folder.display()));
    }
    let program = Program::new(binary, environment)
        .with("BELLHOP_PROBES_LISTEN", "127.0.0.1:0")
        .with("BELLHOP_API_LISTEN", "127.0.0.1:0");
    let arguments: Vec<&str> = list(&pod.program()["args"]).filter_map(Value::as_str).collect();
    let mut child = program.spawn(&arguments)?;
    let mut lines = BufReader::new(child.stderr.take().context("it has a standard error")?).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await? {
        if line.contains(SERVING) {
            child.kill().await?;
            return Ok(());
        }
        said += &line;
        said.push('\n');
    }
    match child.wait().await?.code() {
        Some(REFUSED) => bail!("it refuses its settings:\n{said}"),
        _ => Ok(()),
    }
}

/// Writes what the pod's credentials would hold; servers are given addresses at which nobody listens.
fn lay_out(folder: &Path, pod: &Pod<'_>, secrets: &Secrets) -> Result<()> {
    fs::create_dir_all(folder)?;
    let authority = rcgen::generate_simple_self_signed(["rabbitmq".to_owned()])?.cert.pem();
    let sources = list(&pod.spec["volumes"]).flat_map(|volume| list(&volume["projected"]["sources"]));
    for source in sources {
        for item in list(&source["secret"]["items"]) {
            let name = source["secret"]["name"].as_str().context("it has a name")?;
            let secret = &secrets[&(pod.owner.namespace().to_owned(), name.to_owned())];
            let value = &secret[item["key"].as_str().context("it has a key")?];
            fs::write(place(folder, item)?, unreachable(value))?;
        }
        for item in list(&source["configMap"]["items"]) {
            fs::write(place(folder, item)?, &authority)?;
        }
    }
    Ok(())
}

fn place(folder: &Path, item: &Value) -> Result<PathBuf> {
    Ok(folder.join(item["path"].as_str().context("it has a path")?))
}

/// The same URL at an address where nobody listens, so that no name is asked for.
fn unreachable(value: &str) -> String {
    let Some((login, rest)) = value.split_once('@') else { return value.to_owned() };
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    format!("{login}@127.0.0.1:1{path}")
}
