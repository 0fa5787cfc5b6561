//! What the management API answers, as far as it is asked for.

use serde::Deserialize;
use serde_json::{Map, Value};

/// `GET /api/overview`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Overview {
    pub(crate) rabbitmq_version: String,
    #[serde(default)]
    pub(crate) exchange_types: Vec<ExchangeType>,
}

/// A type of exchange that the broker knows, of itself or by a plugin.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ExchangeType {
    pub(crate) name: String,
}

/// One of `GET /api/nodes`. A node that does not run has only its name.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) running: bool,
    #[serde(default)]
    pub(crate) mem_alarm: bool,
    #[serde(default)]
    pub(crate) disk_free_alarm: bool,
    /// Nodes that it lost sight of and will not join again by itself.
    #[serde(default)]
    pub(crate) partitions: Vec<String>,
}

/// One of `GET /api/queues/{vhost}`. What a classic queue does not have is empty.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Queue {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) arguments: Map<String, Value>,
    #[serde(default)]
    pub(crate) leader: Option<String>,
    #[serde(default)]
    pub(crate) members: Vec<String>,
    #[serde(default)]
    pub(crate) online: Vec<String>,
    /// Ready and handed out; absent for the first seconds of a queue's life.
    #[serde(default)]
    pub(crate) messages: Option<u64>,
}

/// One of `GET /api/policies/{vhost}` or `GET /api/operator-policies/{vhost}`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) pattern: String,
    #[serde(rename = "apply-to")]
    pub(crate) apply_to: String,
    pub(crate) priority: i64,
    pub(crate) definition: Map<String, Value>,
}

/// One of `GET /api/exchanges/{vhost}`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) durable: bool,
    #[serde(default)]
    pub(crate) arguments: Map<String, Value>,
}

/// One of `GET /api/bindings/{vhost}`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Binding {
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) destination_type: String,
    pub(crate) routing_key: String,
}

/// One of `GET /api/users/{user}/permissions`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Permission {
    pub(crate) vhost: String,
    pub(crate) configure: String,
    pub(crate) write: String,
    pub(crate) read: String,
}

/// One of `GET /api/users/{user}/topic-permissions`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TopicPermission {
    pub(crate) vhost: String,
    pub(crate) exchange: String,
    pub(crate) write: String,
}
