//! From a host name to addresses, in bounded time and without the search list.

use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver};

/// A name that did not exist may exist at the next attempt, half a minute later.
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(10);

/// An endpoint that moves is followed within minutes, whatever its zone says.
const POSITIVE_TTL_MAX: Duration = Duration::from_secs(300);

/// Host names kept in memory; beyond it the least used are asked for again.
const CACHED_NAMES_MAX: u64 = 4096;

/// What a lookup gives: every address, in the order they were told.
pub(crate) type Resolving<'a> = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, ResolveError>> + Send + 'a>>;

/// Finds the addresses of a name.
pub(crate) trait Resolve: Send + Sync {
    /// Looks a name up, without a bound in time of its own.
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a>;
}

/// The hosts file and the name servers that the system is configured with.
pub(crate) struct SystemResolver {
    hosts: Hosts,
    dns: TokioResolver,
}

/// Why a name has no addresses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("the host is not a name that can be resolved")]
    Name(#[source] ProtoError),
    #[error("the lookup failed")]
    Lookup(#[source] NetError),
    #[error("the name has no addresses")]
    Empty,
    #[error("the lookup took too long")]
    TimedOut,
}

impl SystemResolver {
    /// Reads the system's configuration, once.
    pub(crate) fn from_system() -> Result<Self, NetError> {
        let mut builder = TokioResolver::builder_tokio()?;
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = CACHED_NAMES_MAX;
        options.positive_max_ttl = Some(POSITIVE_TTL_MAX);
        options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
        Ok(Self { hosts: Hosts::from_system().unwrap_or_default(), dns: builder.build()? })
    }

    /// What the hosts file says of a name. As with the C library, a name found there is not asked for elsewhere: hickory
    /// on its own would query the family that the file leaves out.
    fn declared(&self, name: &Name) -> Vec<IpAddr> {
        let lookup = |family| self.hosts.lookup_static_host(&Query::query(name.clone(), family));
        [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(lookup)
            .flat_map(|found| addresses(&found))
            .collect()
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let name = absolute(name).map_err(ResolveError::Name)?;
            let declared = self.declared(&name);
            if !declared.is_empty() {
                return Ok(declared);
            }
            let found = self.dns.lookup_ip(name).await.map_err(ResolveError::Lookup)?;
            Ok(found.iter().collect())
        })
    }
}

/// Reads a name as absolute. With the search list of a cluster, `https://rabbitmq/` would reach a service of ours.
fn absolute(name: &str) -> Result<Name, ProtoError> {
    let mut name = Name::from_ascii(name)?;
    name.set_fqdn(true);
    Ok(name)
}

fn addresses(lookup: &Lookup) -> Vec<IpAddr> {
    lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_absolute_with_and_without_the_dot() {
        for name in ["rabbitmq", "rabbitmq.", "a.b.example", "_underscore.example"] {
            let absolute = absolute(name).expect(name);
            assert!(absolute.is_fqdn(), "{name}");
            assert_eq!(absolute.to_string().trim_end_matches('.'), name.trim_end_matches('.'));
        }
        assert!(absolute("a..b").is_err());
        assert!(absolute(&"a".repeat(64)).is_err());
    }

    #[tokio::test]
    async fn localhost_is_known_without_a_name_server() {
        let resolver = SystemResolver::from_system().expect("a resolver configuration");
        let addresses = resolver.resolve("localhost").await.expect("localhost");
        assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
    }

    #[tokio::test]
    async fn a_reserved_name_does_not_exist() {
        // RFC 6761 reserves `.invalid`, and hickory answers for it without asking a name server.
        let resolver = SystemResolver::from_system().expect("a resolver configuration");
        let error = resolver.resolve("does-not-exist.invalid").await.expect_err("no such name");
        assert!(matches!(error, ResolveError::Lookup(_)), "{error:?}");
    }
}
