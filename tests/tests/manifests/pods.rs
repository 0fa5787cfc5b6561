//! What a pod may do, how it is watched, and how it ends.

use serde_json::{Value, json};

use crate::ensure_none;
use crate::rendered::{NAMESPACE, Overlay, Pod, across, list};

/// Time, beyond the drain, to close connections and be gone.
const CLOSING_SECONDS: u64 = 5;

/// Memory, in mebibytes, beyond what settings bound: program, connections, allocator.
const UNBOUNDED_MEBIBYTES: u64 = 64;

#[test]
fn pods_are_restricted() {
    let wrong = across(|overlay| {
        let pods = overlay.pods().filter(|pod| !pod.spec.is_null());
        pods.flat_map(|pod| excesses(&pod)).collect::<Vec<_>>()
    });
    ensure_none("a pod has no more rights than it needs", &wrong);
}

/// What goes beyond the standard `restricted`, the Kubernetes API included.
fn excesses(pod: &Pod<'_>) -> Vec<String> {
    let must_be = [
        ("/securityContext/runAsNonRoot", json!(true)),
        ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
        ("/automountServiceAccountToken", json!(false)),
        ("/enableServiceLinks", json!(false)),
        ("/hostNetwork", Value::Null),
        ("/hostPID", Value::Null),
        ("/hostIPC", Value::Null),
    ];
    let mut wrong = differences(pod.spec, &must_be);
    let is_own = pod.owner.namespace() == NAMESPACE;
    for container in pod.containers() {
        let must_be = [
            ("/securityContext/allowPrivilegeEscalation", json!(false)),
            ("/securityContext/capabilities", json!({"drop": ["ALL"]})),
            ("/securityContext/privileged", Value::Null),
            ("/securityContext/runAsUser", Value::Null),
        ];
        wrong.extend(differences(container, &must_be));
        if is_own {
            wrong.extend(differences(container, &[("/securityContext/readOnlyRootFilesystem", json!(true))]));
        }
    }
    let harmless = ["projected", "emptyDir", "secret", "configMap", "persistentVolumeClaim"];
    wrong.extend(list(&pod.spec["volumes"]).filter_map(|volume| {
        let is_harmless = harmless.iter().any(|kind| !volume[kind].is_null());
        (!is_harmless).then(|| format!("volume {volume}"))
    }));
    wrong.into_iter().map(|problem| format!("{}: {problem}", pod.owner.title())).collect()
}

/// Where a value is not what it must be; `null` where nothing may be said.
fn differences(value: &Value, must_be: &[(&str, Value)]) -> Vec<String> {
    let different = must_be.iter().filter_map(|(pointer, expected)| {
        let found = value.pointer(pointer).unwrap_or(&Value::Null);
        (found != expected).then(|| format!("{pointer} is {found}, not {expected}"))
    });
    different.collect()
}

/// The cluster enforces the standard, but for RabbitMQ's operator, which needs root for a moment.
#[test]
fn namespaces_enforce_what_pods_promise() {
    let wrong = across(|overlay| {
        let lax = overlay.of_kind("Namespace").filter_map(|namespace| {
            let labels = namespace.at("/metadata/labels");
            let level = labels["pod-security.kubernetes.io/enforce"].as_str().unwrap_or("nothing");
            let expected = if namespace.name() == "bellhop-rabbitmq" { "baseline" } else { "restricted" };
            (level != expected).then(|| format!("{} enforces {level}", namespace.name()))
        });
        lax.collect::<Vec<_>>()
    });
    ensure_none("a namespace says what its pods may do", &wrong);
    let astray = across(|overlay| {
        let namespaced = overlay.objects.iter().filter(|object| object.kind() != "Namespace");
        let lost = namespaced.filter(|object| overlay.labels_of_namespace(object.namespace()).is_none());
        lost.map(|object| format!("{} in `{}`", object.title(), object.namespace())).collect::<Vec<_>>()
    });
    ensure_none("objects are in a namespace that is there", &astray);
}

/// Liveness restarts a process; that mends no server that is away, so it must depend on none.
#[test]
fn liveness_depends_on_nothing_and_readiness_on_what_is_needed() {
    let wrong = across(|overlay| {
        let deployed = overlay.own_pods().filter(|pod| pod.owner.kind() == "Deployment");
        let wrong = deployed.flat_map(|pod| {
            let must_be = [
                ("/livenessProbe/httpGet", json!({"path": "/livez", "port": "probes"})),
                ("/startupProbe/httpGet", json!({"path": "/livez", "port": "probes"})),
                ("/readinessProbe/httpGet", json!({"path": "/readyz", "port": "probes"})),
            ];
            let told = differences(pod.program(), &must_be);
            told.into_iter().map(move |problem| format!("{}: {problem}", pod.owner.title()))
        });
        wrong.collect::<Vec<_>>()
    });
    ensure_none("probes ask what they are for", &wrong);
}

#[test]
fn the_grace_fits_the_drain() {
    let wrong = across(|overlay| {
        let grace = seconds(overlay.setting("BELLHOP_SHUTDOWN_GRACE"));
        let drain = seconds(overlay.setting("BELLHOP_SHUTDOWN_DRAIN_TIMEOUT"));
        let deployed = overlay.own_pods().filter(|pod| pod.owner.kind() == "Deployment");
        let wrong = deployed.filter_map(|pod| {
            let allowed = pod.spec["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
            let before = pod.program().pointer("/lifecycle/preStop/sleep/seconds");
            let before = before.and_then(Value::as_u64).unwrap_or(0);
            let needed = before + drain + CLOSING_SECONDS;
            (allowed != grace || allowed < needed).then(|| {
                format!("{}: {allowed} s of grace, {grace} s said, {needed} s needed", pod.owner.title())
            })
        });
        wrong.collect::<Vec<_>>()
    });
    ensure_none("a pod is killed only after its drain, and knows when", &wrong);
}

#[test]
fn memory_limits_cover_what_settings_allow() {
    let wrong = across(|overlay| {
        let deployed = overlay.own_pods().filter(|pod| pod.owner.kind() == "Deployment");
        let wrong = deployed.filter_map(|pod| {
            let limit = pod.program().pointer("/resources/limits/memory").and_then(Value::as_str);
            let limit = limit.map_or(0, mebibytes);
            let needed = needed_mebibytes(overlay, &pod);
            (limit < needed).then(|| format!("{}: {limit} MiB of {needed} MiB", pod.owner.title()))
        });
        wrong.collect::<Vec<_>>()
    });
    ensure_none("a process that keeps to its settings is not killed for memory", &wrong);
}

fn needed_mebibytes(overlay: &Overlay, pod: &Pod<'_>) -> u64 {
    let setting = |name| mebibytes(overlay.setting(name));
    let in_hand = match pod.component() {
        "worker-live" | "worker-test" => setting("BELLHOP_WORKER_MEMORY_MAX"),
        "recorder" => setting("BELLHOP_RECORDER_MEMORY_MAX"),
        _ => 0,
    };
    // The copies of subscriptions are bounded for each mode.
    in_hand + 2 * setting("BELLHOP_MEMORY_BYTES_MAX") + UNBOUNDED_MEBIBYTES
}

/// Kubernetes writes `1Gi`, the settings `1GiB`.
fn mebibytes(text: &str) -> u64 {
    let text = text.trim_end_matches('B');
    let (number, factor) = match (text.strip_suffix("Mi"), text.strip_suffix("Gi")) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1024),
        (None, None) => panic!("`{text}` is in mebibytes or gibibytes"),
    };
    number.parse::<u64>().expect("a whole number") * factor
}

fn seconds(text: &str) -> u64 {
    text.trim_end_matches('s').parse().expect("it is in whole seconds")
}

/// One node may go at any time: a budget lets one pod of each kind go, and its fellows are elsewhere.
#[test]
fn pods_survive_the_loss_of_a_node() {
    let wrong = across(|overlay| {
        let deployed = overlay.own_pods().filter(|pod| pod.owner.kind() == "Deployment");
        let wrong = deployed.filter_map(|pod| {
            let budgets = overlay.of_kind("PodDisruptionBudget");
            let budgets = budgets.filter(|budget| budget.name() == pod.owner.name());
            let budget = budgets.map(|budget| budget.at("/spec/maxUnavailable")).next();
            let keys = list(&pod.spec["topologySpreadConstraints"]).map(|one| &one["topologyKey"]);
            let keys: Vec<&Value> = keys.collect();
            let is_spread = keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"];
            let is_surged = pod.owner.at("/spec/strategy/rollingUpdate/maxUnavailable") == 0;
            (budget != Some(&json!(1)) || !is_spread || !is_surged).then(|| pod.owner.title())
        });
        wrong.collect::<Vec<_>>()
    });
    ensure_none("these lack a budget of one, a spread, or replace pods before new ones are ready", &wrong);
}
