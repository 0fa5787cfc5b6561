//! Autoscalers that scale something, by what it works on.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use crate::broker;
use crate::ensure_none;
use crate::rendered::{NAMESPACE, Object, Overlay, across, list, overlays};

#[test]
fn scaled_deployments_exist_and_are_scaled_once() {
    let wrong = across(|overlay| {
        let mut told = Vec::new();
        let mut seen = BTreeSet::new();
        for (scaler, target) in scalers(overlay) {
            let mut deployments = overlay.of_kind("Deployment").filter(|found| found.name() == target);
            match deployments.next() {
                None => told.push(format!("{} scales `{target}`, which is not there", scaler.title())),
                // A number in the manifest would undo the autoscaler's decision at each apply.
                Some(deployment) if !deployment.at("/spec/replicas").is_null() => {
                    told.push(format!("{target} has a number of replicas beside {}", scaler.title()));
                }
                Some(_) if !seen.insert(target) => told.push(format!("two autoscalers fight over {target}")),
                Some(_) => {}
            }
        }
        told
    });
    ensure_none("an autoscaler has a deployment to itself", &wrong);
    let scaled: BTreeSet<&str> = overlays().iter().flat_map(scalers).map(|(_, target)| target).collect();
    assert_eq!(scaled, ["bellhop-worker-live", "bellhop-worker-test"].into(), "workers are what is scaled");
}

/// Every autoscaler with the name of what it scales.
fn scalers(overlay: &Overlay) -> impl Iterator<Item = (&Object, &str)> {
    let kinds = ["ScaledObject", "HorizontalPodAutoscaler"];
    let scalers = overlay.objects.iter().filter(move |object| kinds.contains(&object.kind()));
    scalers.map(|scaler| (scaler, scaler.text("/spec/scaleTargetRef/name")))
}

/// What counts is each lane the deployment serves, all shards of the fresh one included, and no other queue.
#[test]
fn workers_are_scaled_by_the_lanes_they_serve() {
    let wrong = across(|overlay| {
        let wrong = overlay.of_kind("ScaledObject").filter_map(|scaler| {
            let mode = scaler.name().strip_prefix("bellhop-worker-").expect("it is named by its deployment");
            let lanes = |name: &&String| {
                let key = name.strip_prefix(&format!("bellhop.{mode}."));
                key.is_some_and(|key| key.starts_with("events.") || key == "slow" || key == "due")
            };
            let queues = broker::queues();
            let expected: BTreeSet<&str> = queues.iter().filter(lanes).map(String::as_str).collect();
            let counted = list(scaler.at("/spec/triggers")).flat_map(|trigger| counted(trigger, &queues));
            let counted: BTreeSet<&str> = counted.collect();
            (counted != expected).then(|| format!("{}: {counted:?}, not {expected:?}", scaler.title()))
        });
        wrong.collect::<Vec<_>>()
    });
    ensure_none("an autoscaler counts the queues of its lanes", &wrong);
    let count: usize = overlays().iter().map(|overlay| overlay.of_kind("ScaledObject").count()).sum();
    assert_eq!(count, 2, "live and test are scaled by their queues somewhere");
}

/// The queues a trigger looks at; it must count what is in hand, too, which only the management tells.
fn counted<'q>(trigger: &Value, queues: &'q [String]) -> Vec<&'q str> {
    let told = &trigger["metadata"];
    assert_eq!(told["protocol"], "http", "{told}");
    assert_eq!(told["mode"], "QueueLength", "{told}");
    assert_eq!(told["vhostName"], broker::VIRTUAL_HOST, "{told}");
    let name = told["queueName"].as_str().expect("it has a queue");
    let names = queues.iter().map(String::as_str);
    if told["useRegex"] == "true" {
        let pattern = Regex::new(name).expect("it is a pattern");
        return names.filter(|queue| pattern.is_match(queue)).collect();
    }
    names.filter(|queue| *queue == name).collect()
}

/// A worker that is full counts for less than one, or nobody would join it before something waits.
#[test]
fn a_full_worker_asks_for_another() {
    let bounds = [(".events", 200), (".slow", 200), (".due", 100)];
    let wrong = across(|overlay| {
        let triggers = overlay.of_kind("ScaledObject").flat_map(|scaler| list(scaler.at("/spec/triggers")));
        let wrong = triggers.filter(|trigger| {
            let told = &trigger["metadata"];
            let name = told["queueName"].as_str().unwrap_or_default().replace('\\', "");
            let value: u64 = told["value"].as_str().and_then(|text| text.parse().ok()).expect("a number");
            !bounds.iter().any(|(lane, bound)| name.contains(lane) && value < *bound)
        });
        wrong.map(Value::to_string).collect::<Vec<_>>()
    });
    ensure_none("these ask for no more workers while all are full", &wrong);
}

/// The autoscaler asks the management with a user of its own.
#[test]
fn triggers_sign_in_with_what_is_there() {
    let wrong = across(|overlay| {
        let triggers = overlay.of_kind("ScaledObject").flat_map(|scaler| list(scaler.at("/spec/triggers")));
        let wrong = triggers.filter(|trigger| {
            let mut found = overlay.of_kind("TriggerAuthentication");
            !found
                .any(|one| trigger["authenticationRef"]["name"] == one.name() && one.namespace() == NAMESPACE)
        });
        wrong.map(Value::to_string).collect::<Vec<_>>()
    });
    ensure_none("these sign in with nothing", &wrong);
}
