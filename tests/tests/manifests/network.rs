//! Who reaches whom: nobody, unless a policy says so; servers by who signs in to them; the internet by workers alone.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bellhop_sender::address::forbidden_purpose;
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::ensure_none;
use crate::rendered::{NAMESPACE, Object, Overlay, Pod, across, list, overlays};
use crate::selectors::matches;

/// The policy that leads to strangers.
const INTERNET: &str = "bellhop-internet";

/// A server that a process signs in to: the files that say where it is, and the policies that lead there.
const SERVERS: [(&str, &str); 4] = [
    ("amqp-url", "bellhop-rabbitmq"),
    ("management-url", "bellhop-rabbitmq-management"),
    ("postgres-url", "bellhop-postgres"),
    ("redis-url", "bellhop-redis"),
];

#[test]
fn namespaces_are_closed_unless_a_policy_opens_them() {
    let open = across(|overlay| {
        let namespaces = overlay.of_kind("Namespace").filter(|namespace| {
            let mut policies = overlay.of_kind("NetworkPolicy");
            !policies.any(|policy| {
                // RabbitMQ's nodes find each other through the Kubernetes API, whose address only the cluster knows.
                let is_broker = namespace.name() == "bellhop-rabbitmq";
                let closed = if is_broker { json!(["Ingress"]) } else { json!(["Ingress", "Egress"]) };
                policy.namespace() == namespace.name()
                    && policy.at("/spec/podSelector") == &json!({})
                    && policy.at("/spec/policyTypes") == &closed
                    && policy.at("/spec/egress").is_null()
            })
        });
        namespaces.map(Object::title).collect::<Vec<_>>()
    });
    ensure_none("these have no policy that closes them", &open);
}

#[test]
fn a_process_reaches_the_servers_it_signs_in_to_and_no_others() {
    let wrong = across(|overlay| {
        let wrong = overlay.own_pods().filter_map(|pod| {
            let mounted = mounted(&pod);
            let signs_in = SERVERS.iter().filter(|(file, _)| mounted.contains(*file));
            let mut expected: BTreeSet<&str> = signs_in.map(|(_, policy)| *policy).collect();
            expected.insert("bellhop-dns");
            if pod.component().starts_with("worker-") {
                expected.insert(INTERNET);
            }
            let found: BTreeSet<&str> = ways_out(overlay, &pod).map(Object::name).collect();
            (found != expected).then(|| format!("{}: {found:?}, not {expected:?}", pod.owner.title()))
        });
        wrong.collect::<Vec<_>>()
    });
    ensure_none("egress follows from what a process needs", &wrong);
}

/// The names of the files that a pod's credentials are in.
pub(crate) fn mounted(pod: &Pod<'_>) -> BTreeSet<String> {
    let volumes = list(&pod.spec["volumes"]).flat_map(|volume| list(&volume["projected"]["sources"]));
    let items = volumes.flat_map(|source| {
        let secret = list(&source["secret"]["items"]);
        secret.chain(list(&source["configMap"]["items"]))
    });
    items.filter_map(|item| item["path"].as_str().map(ToOwned::to_owned)).collect()
}

/// The policies by which a pod may go out.
fn ways_out<'o>(overlay: &'o Overlay, pod: &Pod<'_>) -> impl Iterator<Item = &'o Object> {
    let labels = pod.labels.clone();
    let policies = overlay.of_kind("NetworkPolicy").filter(|policy| policy.namespace() == NAMESPACE);
    policies.filter(move |policy| {
        !policy.at("/spec/egress").is_null() && matches(policy.at("/spec/podSelector"), &labels)
    })
}

/// Only the policy for endpoints names public addresses; all others lead to servers of one's own.
#[test]
fn servers_are_private() {
    let wrong = across(|overlay| {
        let policies = overlay.of_kind("NetworkPolicy").filter(|policy| policy.name() != INTERNET);
        let wrong = policies.filter(|policy| {
            let rules = list(policy.at("/spec/egress"));
            let mut blocks = rules.flat_map(|rule| list(&rule["to"])).map(|peer| &peer["ipBlock"]);
            blocks.any(|block| !block.is_null() && !is_private(block))
                || list(policy.at("/spec/egress")).any(|rule| rule["to"].is_null() || rule["ports"].is_null())
        });
        wrong.map(Object::title).collect::<Vec<_>>()
    });
    ensure_none("these lead to the internet, to everybody, or to every port", &wrong);
}

/// Whether a block lies within a range for private use.
fn is_private(block: &Value) -> bool {
    let ranges = ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
    let block = network(&block["cidr"]);
    ranges.iter().any(|range| range.parse::<IpNet>().expect("a network").contains(&block))
}

/// The second line of defence is where the first one is: each address is open in the policy if, and only if, the sender
/// would call it. Tried at the edges of every range, where mistakes are.
#[test]
fn workers_reach_what_the_sender_would_call_and_nothing_else() {
    for overlay in overlays() {
        let mut policies = overlay.of_kind("NetworkPolicy").filter(|policy| policy.name() == INTERNET);
        let policy = policies.next().expect("there is a policy for endpoints");
        let blocks: Vec<&Value> = list(policy.at("/spec/egress/0/to")).map(|peer| &peer["ipBlock"]).collect();
        let wrong: Vec<String> = addresses(&blocks)
            .into_iter()
            .filter(|address| !is_translated(address))
            .filter(|address| is_open(&blocks, *address) != forbidden_purpose(*address).is_none())
            .map(|address| format!("{address}: the sender says {:?}", forbidden_purpose(address)))
            .collect();
        ensure_none("policy and sender disagree", &wrong);
    }
}

/// What a NAT64 gateway translates is closed here whatever it holds; the README says how to open it.
fn is_translated(address: &IpAddr) -> bool {
    "64:ff9b::/96".parse::<IpNet>().expect("a network").contains(address)
}

fn is_open(blocks: &[&Value], address: IpAddr) -> bool {
    blocks.iter().any(|block| {
        let but = list(&block["except"]).any(|except| network(except).contains(&address));
        network(&block["cidr"]).contains(&address) && !but
    })
}

/// Addresses within and around every range of the policy, and of every other that is known to be special.
fn addresses(blocks: &[&Value]) -> Vec<IpAddr> {
    let told = blocks.iter().flat_map(|block| list(&block["except"]).chain([&block["cidr"]])).map(network);
    let ranges = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 \
        192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 \
        240.0.0.0/4 ::/8 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fc00::/7 \
        fe80::/10 fec0::/10 ff00::/8";
    let known = ranges.split_whitespace().map(|range| range.parse().expect("a network"));
    let public = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700::1", "2a00:1450::1"];
    let public = public.map(|address| address.parse::<IpAddr>().expect("an address"));
    told.chain(known).flat_map(edges).chain(public).collect()
}

fn edges(network: IpNet) -> Vec<IpAddr> {
    let (first, last) = (network.network(), network.broadcast());
    let around = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let before = first.to_bits().checked_sub(1).map(|bits| IpAddr::V4(bits.into()));
            [before, last.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into()))]
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let before = first.to_bits().checked_sub(1).map(|bits| IpAddr::V6(bits.into()));
            [before, last.to_bits().checked_add(1).map(|bits| IpAddr::V6(bits.into()))]
        }
        _ => unreachable!("a network is of one family"),
    };
    around.into_iter().flatten().chain([first, last]).collect()
}

fn network(cidr: &Value) -> IpNet {
    let text = cidr.as_str().expect("a network is text");
    text.parse().unwrap_or_else(|error| panic!("`{text}`: {error}"))
}
