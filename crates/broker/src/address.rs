//! Where the broker is and who we are there.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use lapin::uri::AMQPUri;

use crate::limits::HEARTBEAT_SECONDS;

/// A broker's address: an `amqp://` or `amqps://` URL, with one host for each node of a cluster that may be tried. It
/// holds a password, so `Debug` and `Display` leave it out.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    nodes: Vec<NodeAddress>,
}

/// Where one node of the broker is; user and virtual host are the same on all.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct NodeAddress {
    pub(crate) uri: AMQPUri,
    pub(crate) authority_pem: Option<Arc<str>>,
}

/// Why a text is no broker's address. Never repeats the text: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an `amqp` or `amqps` URL.
    #[error("not a broker's address: expected `amqp://user:password@host:port/vhost` (or `amqps://…`)")]
    Malformed,
    /// An IPv6 literal, which the client library reads as `localhost`.
    #[error("an IPv6 literal is not supported as the broker's host: use a host name")]
    Ipv6Literal,
    /// Several URLs where one with several hosts is meant: nodes of a cluster share user and virtual host.
    #[error("a cluster is one URL with several hosts: `amqp://user:password@host1:port,host2:port/vhost`")]
    SeveralUrls,
    /// A comma with nothing before or after it.
    #[error("an empty host among the broker's: separate hosts by single commas")]
    EmptyHost,
    /// The same host and port twice.
    #[error("a host and port stand twice among the broker's: each node is named once")]
    RepeatedHost,
}

impl BrokerAddress {
    /// Reads an address.
    ///
    /// * `text`: `amqp[s]://user:password@host:port/vhost`, the parts percent-encoded. `host1:port,host2:port` names
    ///   nodes of one cluster, any of which will do.
    /// * `authority_pem`: certificate authorities to trust for `amqps`, in PEM; `None` trusts the public ones.
    ///
    /// # Errors
    /// [`AddressError`] when it is none.
    pub fn parse(text: &str, authority_pem: Option<String>) -> Result<Self, AddressError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(AddressError::Malformed)?;
        if rest.contains("://") {
            return Err(AddressError::SeveralUrls);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // Of several, the last one ends the password.
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let authority_pem: Option<Arc<str>> = authority_pem.map(Into::into);
        let mut nodes = Vec::new();
        for host in hosts.split(',').map(str::trim) {
            if host.is_empty() && hosts.contains(',') {
                return Err(AddressError::EmptyHost);
            }
            if host.contains('[') {
                return Err(AddressError::Ipv6Literal);
            }
            let uri = format!("{scheme}://{login}{host}{path}").parse();
            let mut uri: AMQPUri = uri.map_err(|_| AddressError::Malformed)?;
            uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
            nodes.push(NodeAddress { uri, authority_pem: authority_pem.clone() });
        }
        let places: HashSet<String> = nodes.iter().map(NodeAddress::place).collect();
        if places.len() < nodes.len() {
            return Err(AddressError::RepeatedHost);
        }
        Ok(Self { nodes })
    }

    /// The user we sign in as.
    #[must_use]
    pub fn user(&self) -> &str {
        self.nodes[0].user()
    }

    /// The virtual host.
    #[must_use]
    pub fn vhost(&self) -> &str {
        self.nodes[0].vhost()
    }

    /// How many nodes may be tried, at least one.
    #[must_use]
    pub fn node_count(&self) -> u32 {
        u32::try_from(self.nodes.len()).expect("nobody names billions of hosts")
    }

    pub(crate) fn into_nodes(self) -> Vec<NodeAddress> {
        self.nodes
    }
}

impl NodeAddress {
    fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    fn vhost(&self) -> &str {
        &self.uri.vhost
    }

    fn place(&self) -> String {
        format!("{}:{}", self.uri.authority.host, self.uri.authority.port)
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<String> = self.nodes.iter().map(NodeAddress::place).collect();
        write!(f, "{} (user `{}`, vhost `{}`)", places.join(","), self.user(), self.vhost())
    }
}

impl fmt::Debug for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokerAddress({self})")
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (user `{}`, vhost `{}`)", self.place(), self.user(), self.vhost())
    }
}

impl fmt::Debug for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address = BrokerAddress::parse("amqp://u:s3cret@broker:5673,other/care", None).expect("valid");
        for text in [format!("{address}"), format!("{address:?}"), format!("{:?}", address.nodes)] {
            assert!(text.contains("broker:5673") && !text.contains("s3cret"), "{text}");
        }
        assert_eq!((address.user(), address.vhost()), ("u", "care"));
    }

    #[test]
    fn every_host_of_a_cluster_is_a_node_with_the_same_login() {
        let cases: [(&str, &[&str]); 5] = [
            ("amqp://u:p@a/v?heartbeat=7", &["amqp://u:p@a:5672/v?heartbeat=7"]),
            ("amqp://u:p@a:1,b/v", &["amqp://u:p@a:1/v", "amqp://u:p@b:5672/v"]),
            (
                "amqps://u:p%2C@a, b ,c:9/v",
                &["amqps://u:p%2C@a:5671/v", "amqps://u:p%2C@b/v", "amqps://u:p%2C@c:9/v"],
            ),
            ("amqp://u:p,q@r@a,b/", &["amqp://u:p,q@r@a/", "amqp://u:p,q@r@b/"]),
            ("amqp://a,b", &["amqp://a", "amqp://b"]),
        ];
        for (text, expected) in cases {
            let address = BrokerAddress::parse(text, Some("pem".to_owned())).expect(text);
            let node = |uri: &&str| {
                let mut uri: AMQPUri = uri.parse().expect(uri);
                uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
                NodeAddress { uri, authority_pem: Some("pem".into()) }
            };
            let expected: Vec<NodeAddress> = expected.iter().map(node).collect();
            assert!(address.nodes == expected, "{text}: {address:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        let cases = [
            ("", AddressError::Malformed),
            ("localhost", AddressError::Malformed),
            ("http://u:s3cret@h", AddressError::Malformed),
            ("amqp:u:s3cret", AddressError::Malformed),
            ("amqp://u:s3cret@a:5672,b:x/v", AddressError::Malformed),
            ("amqp://u:s3cret/@a,b/v", AddressError::Malformed),
            ("amqp://[::1]:5672", AddressError::Ipv6Literal),
            ("amqp://u:s3cret@a,[::1]:5672/v", AddressError::Ipv6Literal),
            ("amqp://u:s3cret@a/v,amqp://u:s3cret@b/v", AddressError::SeveralUrls),
            ("amqp://u:s3cret@a,/v", AddressError::EmptyHost),
            ("amqp://u:s3cret@a,,b/v", AddressError::EmptyHost),
            ("amqp://u:s3cret@a,b,a:5672/v", AddressError::RepeatedHost),
        ];
        for (text, expected) in cases {
            let error = BrokerAddress::parse(text, None).expect_err(text);
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("s3cret"));
        }
    }
}
