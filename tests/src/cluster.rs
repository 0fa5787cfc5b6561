//! A throwaway RabbitMQ cluster: three nodes on this machine, each a stack of its own, that are killed one by one.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::ground::Ground;
use crate::http;
use crate::patience::eventually;
use crate::stack::{Addresses, Service, Stack, free_ports};

/// How many nodes there are: the fewest of which one can be lost.
pub const NODES: usize = 3;

/// Three RabbitMQ nodes that run until this value is dropped, or the program dies.
#[derive(Debug)]
pub struct Cluster {
    stacks: [Stack; NODES],
    addresses: Addresses,
}

/// One node of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node(usize);

/// A queue as the management shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// The nodes it lies on, in order.
    pub members: Vec<Node>,
    /// How many messages were in it, handed out or not, some seconds ago; unknown of one that is new.
    pub messages: Option<u64>,
}

impl Node {
    /// Every node of a cluster.
    pub const ALL: [Self; NODES] = [Self(0), Self(1), Self(2)];

    /// The other two.
    #[must_use]
    pub fn others(self) -> [Self; NODES - 1] {
        [Self((self.0 + 1) % NODES), Self((self.0 + 2) % NODES)]
    }

    /// The first is the one that the others join.
    fn is_first(self) -> bool {
        self.0 == 0
    }

    fn short_name(self) -> String {
        if self.is_first() { "bellhop".to_owned() } else { format!("bellhop-{}", self.0) }
    }

    /// Reads the name that RabbitMQ gives it.
    fn named(name: &str) -> Result<Self> {
        let is_it = |node: &Self| name == format!("{}@localhost", node.short_name());
        Self::ALL.into_iter().find(is_it).with_context(|| format!("`{name}` is no node of the cluster"))
    }
}

impl Cluster {
    /// Starts three nodes and waits until each sees the others, which takes some 15 seconds. A quorum queue declared
    /// from now on has a member on each.
    ///
    /// # Errors
    /// With the script's own words.
    pub async fn start(ground: &Ground) -> Result<Self> {
        let folders = Node::ALL.map(|_| ground.stack_folder());
        let port_mapper = free_ports(1)?[0].to_string();
        let start = async |node: Node| {
            let join = if node.is_first() { String::new() } else { folders[0].display().to_string() };
            let settings = [
                ("BELLHOP_STACK_NODE", node.short_name()),
                ("BELLHOP_STACK_JOIN", join),
                ("BELLHOP_STACK_EPMD_PORT", port_mapper.clone()),
            ];
            let starting = Stack::start_in(&folders[node.0], &[Service::Rabbitmq], &settings);
            starting.await.with_context(|| format!("start {node:?} of a cluster"))
        };
        let [first, second, third] = Node::ALL;
        let first = start(first).await?;
        let (second, third) = tokio::try_join!(start(second), start(third))?;
        let stacks = [first, second, third];
        let mut addresses = stacks[0].addresses().clone();
        addresses.amqp = one_url(stacks.iter().map(|stack| stack.addresses().amqp.as_str()))?;
        let cluster = Self { stacks, addresses };
        cluster.await_all_running().await?;
        Ok(cluster)
    }

    /// Where the cluster is: its AMQP URL names all nodes, its management URL the first.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// One node's own controls and addresses, to pause it, to ask its `rabbitmqctl`, or to connect to it alone.
    #[must_use]
    pub fn stack(&self, node: Node) -> &Stack {
        &self.stacks[node.0]
    }

    /// Kills a node's processes, all at once, and waits until they are gone.
    ///
    /// # Errors
    /// With the script's own words.
    pub async fn kill(&self, node: Node) -> Result<()> {
        self.stack(node).kill(Service::Rabbitmq).await
    }

    /// Starts a node that was killed and waits until it takes connections. While two are away, it does so only when
    /// the third runs.
    ///
    /// # Errors
    /// With the script's own words.
    pub async fn revive(&self, node: Node) -> Result<()> {
        self.stack(node).revive(Service::Rabbitmq).await
    }

    /// Waits until every node runs and sees the others.
    ///
    /// # Errors
    /// When they do not in time.
    pub async fn await_all_running(&self) -> Result<()> {
        let look = || async {
            for node in Node::ALL {
                let seen = self.ask(node, "nodes").await?;
                let running =
                    seen.as_array().into_iter().flatten().filter(|node| node["running"] == true).count();
                ensure!(running == NODES, "{node:?} sees {running} nodes that run");
            }
            Ok(Some(()))
        };
        eventually("all nodes of a cluster to run", look).await
    }

    /// Which node leads a queue, as the first that answers has it: moments after a kill, it may be the killed one yet.
    ///
    /// # Errors
    /// When no node answers, there is no such queue, or it has no leader.
    pub async fn leader_of(&self, virtual_host: &str, queue: &str) -> Result<Node> {
        let queue = self.ask_any(&format!("queues/{virtual_host}/{queue}")).await?;
        Node::named(queue["leader"].as_str().context("a queue without a leader")?)
    }

    /// The queues of a virtual host. While a node is away, RabbitMQ 3.10 may take half a minute to list them.
    ///
    /// # Errors
    /// When no node answers.
    pub async fn queues(&self, virtual_host: &str) -> Result<Vec<Queue>> {
        let queues = self.ask_any(&format!("queues/{virtual_host}")).await?;
        let read = |queue: &Value| {
            let names = queue["members"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let mut members = names.map(Node::named).collect::<Result<Vec<_>>>()?;
            members.sort_unstable();
            let name = queue["name"].as_str().context("a queue without a name")?.to_owned();
            Ok(Queue { name, members, messages: queue["messages"].as_u64() })
        };
        queues.as_array().into_iter().flatten().map(read).collect()
    }

    /// To which node each connection of a name goes.
    ///
    /// * `name`: what the client calls it, such as `bellhop producer`.
    ///
    /// # Errors
    /// When no node answers.
    pub async fn connections(&self, name: &str) -> Result<Vec<Node>> {
        let connections = self.ask_any("connections").await?;
        let is_named = |connection: &&Value| connection["user_provided_name"] == name;
        let named = connections.as_array().into_iter().flatten().filter(is_named);
        named.map(|connection| Node::named(connection["node"].as_str().unwrap_or_default())).collect()
    }

    /// Asks the management of the first node that answers.
    async fn ask_any(&self, path: &str) -> Result<Value> {
        let mut failure = None;
        for node in Node::ALL {
            match self.ask(node, path).await {
                Ok(answer) => return Ok(answer),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or_else(|| bail!("a cluster without nodes"), Err)
    }

    async fn ask(&self, node: Node, path: &str) -> Result<Value> {
        let url = format!("{}/api/{path}", self.stack(node).addresses().management);
        let response = http::get(&url).await?;
        ensure!(response.status == 200, "{node:?}: {path}: {} {}", response.status, response.body);
        Ok(serde_json::from_str(&response.body)?)
    }
}

/// Makes one URL with many hosts of many URLs that differ in the host alone.
fn one_url<'u>(urls: impl Iterator<Item = &'u str>) -> Result<String> {
    let parts = urls.map(|url| url.rsplit_once('@').context("a URL without a login"));
    let (logins, hosts): (Vec<&str>, Vec<&str>) = parts.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    ensure!(logins.iter().all(|login| *login == logins[0]), "nodes with different logins");
    Ok(format!("{}@{}", logins[0], hosts.join(",")))
}
