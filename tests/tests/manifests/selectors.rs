//! Selectors that select, and names of ports that are there.

use serde_json::{Map, Value};

use crate::ensure_none;
use crate::rendered::{Object, Overlay, Pod, across, list};

/// Whether a selector matches labels. One that is empty matches all.
pub(crate) fn matches(selector: &Value, labels: &Map<String, Value>) -> bool {
    let wanted = selector["matchLabels"].as_object();
    let is_same = wanted.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    is_same
        && list(&selector["matchExpressions"]).all(|expression| {
            assert_eq!(expression["operator"], "In", "the only operator that is understood here");
            let key = expression["key"].as_str().expect("it has a key");
            labels.get(key).is_some_and(|found| list(&expression["values"]).any(|value| value == found))
        })
}

/// The pods of an object's namespace that a selector matches.
pub(crate) fn selected<'o>(overlay: &'o Overlay, namespace: &str, selector: &Value) -> Vec<Pod<'o>> {
    let pods = overlay.pods().filter(|pod| pod.owner.namespace() == namespace);
    pods.filter(|pod| matches(selector, &pod.labels)).collect()
}

/// Where an object says which pods it is about.
fn selector(object: &Object) -> Option<Value> {
    match object.kind() {
        "Service" => Some(serde_json::json!({"matchLabels": object.at("/spec/selector")})),
        "NetworkPolicy" => Some(object.at("/spec/podSelector").clone()),
        "PodDisruptionBudget" | "PodMonitor" | "Deployment" | "StatefulSet" => {
            Some(object.at("/spec/selector").clone())
        }
        _ => None,
    }
}

#[test]
fn every_selector_selects() {
    let idle = across(|overlay| {
        let idle = overlay.objects.iter().filter(|object| {
            let selector = selector(object);
            selector.is_some_and(|selector| selected(overlay, object.namespace(), &selector).is_empty())
        });
        idle.map(Object::title).collect::<Vec<_>>()
    });
    ensure_none("these are about no pod", &idle);
}

/// A selector that matched another's pods, too, would have two controllers fight over them.
#[test]
fn controllers_and_budgets_select_their_own_pods_alone() {
    let wrong = across(|overlay| {
        let kinds = ["Deployment", "StatefulSet", "PodDisruptionBudget"];
        let picky = overlay.objects.iter().filter(|object| kinds.contains(&object.kind()));
        let wrong = picky.filter(|object| {
            let pods = selected(overlay, object.namespace(), object.at("/spec/selector"));
            pods.iter().map(|pod| pod.owner.name()).collect::<Vec<_>>() != [object.name()]
        });
        wrong.map(Object::title).collect::<Vec<_>>()
    });
    ensure_none("these select other pods than those of their name", &wrong);
}

#[test]
fn pods_are_spread_from_their_own_kind() {
    let wrong = across(|overlay| {
        let wrong = overlay.pods().filter(|pod| {
            list(&pod.spec["topologySpreadConstraints"])
                .any(|one| one["labelSelector"].is_null() || !matches(&one["labelSelector"], &pod.labels))
        });
        wrong.map(|pod| pod.owner.title()).collect::<Vec<_>>()
    });
    ensure_none("these spread from other pods than their own", &wrong);
}

/// Of namespaces that are rendered, every peer of a policy is there. Foreign ones, such as DNS, cannot be looked at.
#[test]
fn network_policies_name_peers_that_exist() {
    let wrong = across(|overlay| {
        let policies = overlay.of_kind("NetworkPolicy");
        let wrong = policies.filter(|policy| {
            peers(policy).any(|peer| {
                let is_named = !peer["podSelector"].is_null();
                is_named && is_rendered(overlay, policy, peer) && !exists(overlay, policy, peer)
            })
        });
        wrong.map(Object::title).collect::<Vec<_>>()
    });
    ensure_none("these let in, or out to, pods that no object makes", &wrong);
}

fn peers(policy: &Object) -> impl Iterator<Item = &Value> {
    let ways = [("/spec/egress", "to"), ("/spec/ingress", "from")];
    ways.into_iter()
        .flat_map(move |(rules, side)| list(policy.at(rules)).flat_map(move |rule| list(&rule[side])))
}

/// The namespaces that a peer may be in: the policy's own unless it says otherwise.
fn namespaces<'o>(overlay: &'o Overlay, policy: &'o Object, peer: &'o Value) -> Vec<&'o str> {
    let selector = &peer["namespaceSelector"];
    if selector.is_null() {
        return vec![policy.namespace()];
    }
    let named = overlay.of_kind("Namespace").map(Object::name);
    named.filter(|name| overlay.labels_of_namespace(name).is_some_and(|l| matches(selector, &l))).collect()
}

/// Whether the peer's namespace is one of ours: all are part of Bellhop, and say so.
fn is_rendered(overlay: &Overlay, policy: &Object, peer: &Value) -> bool {
    let is_by_part = peer["namespaceSelector"]["matchLabels"]["app.kubernetes.io/part-of"] == "bellhop";
    is_by_part || !namespaces(overlay, policy, peer).is_empty()
}

fn exists(overlay: &Overlay, policy: &Object, peer: &Value) -> bool {
    let namespaces = namespaces(overlay, policy, peer);
    namespaces.iter().any(|namespace| !selected(overlay, namespace, &peer["podSelector"]).is_empty())
}

/// A port by name is that of a container of each pod in question.
#[test]
fn named_ports_exist() {
    let wrong = across(|overlay| {
        let wrong = overlay.objects.iter().filter(|object| {
            let Some(selector) = selector(object) else { return false };
            let pods = selected(overlay, object.namespace(), &selector);
            let mut seen = pods.iter().filter(|pod| pod.owner.kind() == "Deployment");
            let names: Vec<&str> = ports(object);
            seen.any(|pod| names.iter().any(|name| !has_port(pod, name)))
        });
        wrong.map(Object::title).collect::<Vec<_>>()
    });
    ensure_none("these name a port that a pod of theirs does not have", &wrong);
    let wrong = across(|overlay| {
        let ingresses = overlay.of_kind("Ingress");
        let backends = ingresses.flat_map(|ingress| {
            let paths = list(ingress.at("/spec/rules")).flat_map(|rule| list(&rule["http"]["paths"]));
            paths.map(|path| &path["backend"]["service"])
        });
        let lost = backends.filter(|backend| {
            let mut services = overlay.of_kind("Service").filter(|service| backend["name"] == service.name());
            !services.any(|service| {
                list(service.at("/spec/ports")).any(|port| port["name"] == backend["port"]["name"])
            })
        });
        lost.map(Value::to_string).collect::<Vec<_>>()
    });
    ensure_none("an ingress leads to a service that is there", &wrong);
}

fn ports(object: &Object) -> Vec<&str> {
    let rules = list(object.at("/spec/ingress")).flat_map(|rule| list(&rule["ports"]));
    let policies = rules.filter_map(|port| port["port"].as_str());
    let services = list(object.at("/spec/ports")).filter_map(|port| port["targetPort"].as_str());
    let monitors = list(object.at("/spec/podMetricsEndpoints")).filter_map(|port| port["port"].as_str());
    policies.chain(services).chain(monitors).collect()
}

fn has_port(pod: &Pod<'_>, name: &str) -> bool {
    pod.containers().any(|container| list(&container["ports"]).any(|port| port["name"] == name))
}
