//! Users and permissions of the cluster that RabbitMQ's operators make: those of deploy/rabbitmq/README.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use bellhop_broker::{Shards, Topology, names};
use bellhop_model::{Ladder, Mode};
use bellhop_tests::tree;
use regex::Regex;
use serde_json::{Value, json};

use crate::rendered::{Overlay, list, overlays};

/// The virtual host of everything.
pub(crate) const VIRTUAL_HOST: &str = "bellhop";

/// Patterns for configure, write and read.
type Patterns = [String; 3];

/// The overlay with a cluster of its own.
fn with_cluster() -> &'static Overlay {
    let found = overlays().iter().find(|overlay| overlay.of_kind("RabbitmqCluster").next().is_some());
    found.expect("an overlay has a RabbitMQ cluster")
}

/// The queues of a fleet with several shards.
pub(crate) fn queues() -> Vec<String> {
    let shards = Shards::new(3).expect("a few");
    let topology = Topology::new(&Ladder::default(), shards);
    topology.queues().iter().map(|queue| queue.name.clone()).collect()
}

/// Every queue and exchange.
fn resources() -> BTreeSet<String> {
    let shared = [names::EVENTS_EXCHANGE, names::LOG, names::UNROUTABLE].map(ToOwned::to_owned);
    let of_modes = Mode::ALL.into_iter().flat_map(|mode| {
        [names::mode_exchange(mode), names::shards_exchange(mode), names::fallback_exchange(mode)]
    });
    queues().into_iter().chain(shared).chain(of_modes).collect()
}

/// What each user may do, by the manifests.
///
/// * `kind`: `Permission` or `TopicPermission`.
fn permissions(kind: &'static str) -> BTreeMap<String, &'static Value> {
    let permissions = with_cluster().of_kind(kind).map(|object| {
        assert_eq!(object.text("/spec/vhost"), VIRTUAL_HOST, "{}", object.title());
        (object.text("/spec/userReference/name").to_owned(), object.at("/spec/permissions"))
    });
    permissions.collect()
}

/// The commands of deploy/rabbitmq/README.md that begin with `rabbitmqctl` and a word, without both.
fn commands(word: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(tree::repository().join("deploy/rabbitmq/README.md")).expect("it is there");
    let text = text.replace("\\\n", " ");
    let beginning = format!("rabbitmqctl {word} --vhost {VIRTUAL_HOST} ");
    let lines = text.lines().filter_map(|line| line.strip_prefix(&beginning));
    let words = |line: &str| line.split_whitespace().map(|one| one.trim_matches('\'').to_owned()).collect();
    let commands: Vec<Vec<String>> = lines.map(words).collect();
    assert!(!commands.is_empty(), "the README has no `{beginning}`");
    commands
}

/// What a role may do, by the README.
fn documented() -> BTreeMap<String, Patterns> {
    let commands = commands("set_permissions").into_iter().map(|words| {
        let [user, configure, write, read]: [String; 4] = words.try_into().expect("user and three patterns");
        (user, [configure, write, read])
    });
    commands.collect()
}

fn patterns(permissions: &Value) -> Patterns {
    ["configure", "write", "read"].map(|kind| permissions[kind].as_str().expect("it is said").to_owned())
}

#[test]
fn users_may_do_what_the_documentation_says() {
    let documented = documented();
    let made = permissions("Permission");
    for (user, patterns_of_user) in &documented {
        if user == "bellhop-worker" {
            continue;
        }
        let found = made.get(user).unwrap_or_else(|| panic!("{user} has no permission"));
        assert_eq!(&patterns(found), patterns_of_user, "{user}");
    }
    let others: BTreeSet<&str> =
        made.keys().filter(|user| !documented.contains_key(*user)).map(String::as_str).collect();
    assert_eq!(others, ["bellhop-keda", "bellhop-worker-live", "bellhop-worker-test"].into());
    assert_eq!(patterns(made["bellhop-keda"]), ["", "", ""].map(ToOwned::to_owned), "it may look, not touch");
}

/// Both workers together may do what the documentation allows a worker of all lanes, and nothing of each other's.
#[test]
fn workers_of_a_mode_reach_nothing_of_the_other() {
    let made = permissions("Permission");
    let whole = &documented()["bellhop-worker"];
    let of_mode = Mode::ALL.map(|mode| patterns(made[&format!("bellhop-worker-{mode}")]));
    for (kind, whole) in whole.iter().enumerate() {
        let [live, test] = of_mode.each_ref().map(|patterns| allowed(&patterns[kind]));
        let both: BTreeSet<&String> = live.union(&test).collect();
        let whole = allowed(whole);
        assert_eq!(both, whole.iter().collect::<BTreeSet<_>>(), "what workers may do");
        let strayed: Vec<&String> = live.iter().filter(|name| name.contains("test")).collect();
        assert_eq!(strayed, Vec::<&String>::new(), "of Test Mode, reached by live");
        let strayed: Vec<&String> = test.iter().filter(|name| name.contains("live")).collect();
        assert_eq!(strayed, Vec::<&String>::new(), "of live, reached by Test Mode");
    }
}

/// The queues and exchanges that a pattern allows; an empty one allows nothing.
fn allowed(pattern: &str) -> BTreeSet<String> {
    if pattern.is_empty() {
        return BTreeSet::new();
    }
    let pattern = Regex::new(pattern).expect("it is a pattern");
    resources().into_iter().filter(|name| pattern.is_match(name)).collect()
}

#[test]
fn publishers_are_kept_to_their_mode() {
    let documented = commands("set_topic_permissions").into_iter().map(|words| {
        let [user, exchange, write, read]: [String; 4] =
            words.try_into().expect("user, exchange and two patterns");
        (user, json!({"exchange": exchange, "write": write, "read": read}))
    });
    let made = permissions("TopicPermission").into_iter().map(|(user, found)| (user, found.clone()));
    assert_eq!(made.collect::<BTreeMap<_, _>>(), documented.collect::<BTreeMap<_, _>>());
}

/// No password in a manifest, none made up where only the operator would know it.
#[test]
fn users_sign_in_with_what_is_handed_in() {
    for user in with_cluster().of_kind("User") {
        let role = user.name().strip_prefix("bellhop-").expect("users are Bellhop's");
        assert_eq!(user.text("/spec/importCredentialsSecret/name"), format!("broker-{role}"));
        let is_monitor = role == "doctor" || role == "keda";
        let tags = if is_monitor { json!(["monitoring"]) } else { Value::Null };
        assert_eq!(user.at("/spec/tags"), &tags, "{}", user.title());
    }
}

#[test]
fn the_policy_is_the_one_that_is_shipped() {
    let text =
        fs::read_to_string(tree::repository().join("deploy/rabbitmq/policies.json")).expect("it is there");
    let shipped: Value = serde_json::from_str(&text).expect("it is JSON");
    let made = with_cluster().of_kind("Policy").map(|policy| {
        let spec = |key: &str| policy.at(&format!("/spec/{key}")).clone();
        json!({
            "vhost": spec("vhost"), "name": spec("name"), "pattern": spec("pattern"),
            "apply-to": spec("applyTo"), "priority": spec("priority"), "definition": spec("definition"),
        })
    });
    assert_eq!(Value::Array(made.collect()), shipped["policies"]);
}

/// The local stack takes the file itself; an operator's manifest cannot.
#[test]
fn nodes_are_configured_as_the_shipped_file_says() {
    let shipped =
        fs::read_to_string(tree::repository().join("deploy/rabbitmq/bellhop.conf")).expect("it is there");
    let cluster = with_cluster().of_kind("RabbitmqCluster").next().expect("there is one");
    let configuration = cluster.text("/spec/rabbitmq/additionalConfig");
    let settings: Vec<&str> = shipped.lines().filter(|line| line.contains(" = ")).collect();
    assert!(!settings.is_empty(), "the file sets nothing");
    for setting in settings {
        assert!(configuration.lines().any(|line| line == setting), "the cluster lacks `{setting}`");
    }
}

/// A quorum needs three, on machines of their own, of which one may go; shards need a plugin.
#[test]
fn the_cluster_survives_the_loss_of_a_node() {
    let overlay = with_cluster();
    let cluster = overlay.of_kind("RabbitmqCluster").next().expect("there is one");
    assert_eq!(cluster.at("/spec/replicas"), 3);
    let apart = cluster.at("/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0");
    assert_eq!(apart["topologyKey"], "kubernetes.io/hostname");
    assert_eq!(cluster.at("/spec/tls/disableNonTLSListeners"), true);
    let plugins: Vec<&Value> = list(cluster.at("/spec/rabbitmq/additionalPlugins")).collect();
    assert_eq!(plugins, ["rabbitmq_consistent_hash_exchange"]);
    let mut budgets = overlay.of_kind("PodDisruptionBudget").filter(|one| one.name() == cluster.name());
    assert_eq!(budgets.next().map(|one| one.at("/spec/maxUnavailable")), Some(&json!(1)));
    let references =
        overlay.objects.iter().filter(|object| !object.at("/spec/rabbitmqClusterReference").is_null());
    for object in references {
        let named = object.text("/spec/rabbitmqClusterReference/name");
        assert_eq!((named, object.namespace()), (cluster.name(), cluster.namespace()), "{}", object.title());
    }
}
