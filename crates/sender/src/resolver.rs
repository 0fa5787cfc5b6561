//! From a host name to addresses, in bounded time and without the search list.

use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};
use tokio::time::timeout;

#[cfg(test)]
pub(crate) mod tests;

/// A name that did not exist may exist at the next attempt, half a minute later.
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(10);

/// An endpoint that moves is followed within minutes, whatever its zone says.
const POSITIVE_TTL_MAX: Duration = Duration::from_secs(300);

/// Host names kept in memory; beyond it the least used are asked for again.
const CACHED_NAMES_MAX: u64 = 4096;

/// How often the name servers are tried again after a try of which nothing came. Within a try a datagram that may be
/// lost is sent again by itself.
const TRIES_AGAIN: usize = 1;

/// Share of the step that each of the two tries may take, so that both end, and are a failure of DNS, before the step
/// does.
const TRY_SHARE: f64 = 0.4;

/// How long the IPv6 addresses of a name are waited for once its IPv4 addresses are there. As a rule both come at once;
/// some name servers never answer for a family they have heard nothing of. IPv4 is dialled first, so nothing is lost but
/// a second choice. The other way round the whole lookup is waited for: here may be no IPv6.
const IPV6_WAIT: Duration = Duration::from_millis(200);

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
    ///
    /// * `step_timeout`: what a caller waits at most; a lookup that comes to nothing ends before.
    pub(crate) fn from_system(step_timeout: Duration) -> Result<Self, NetError> {
        let (config, options) = read_system_conf()?;
        Self::new(Hosts::from_system().unwrap_or_default(), config, options, step_timeout)
    }

    /// * `options`: what the system's configuration says; bounds of time and memory are ours.
    fn new(
        hosts: Hosts,
        config: ResolverConfig,
        options: ResolverOpts,
        step_timeout: Duration,
    ) -> Result<Self, NetError> {
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let heeded = builder.options_mut();
        *heeded = options;
        // A try that lasts as long as the step would be the only one.
        heeded.timeout = heeded.timeout.min(step_timeout.mul_f64(TRY_SHARE));
        heeded.attempts = TRIES_AGAIN;
        heeded.use_hosts_file = ResolveHosts::Never;
        heeded.cache_size = CACHED_NAMES_MAX;
        heeded.positive_max_ttl = Some(POSITIVE_TTL_MAX);
        heeded.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
        Ok(Self { hosts, dns: builder.build()? })
    }

    /// Asks for both families at once. One that fails, or is silent, leaves the other's addresses to be called.
    async fn ask(&self, name: Name) -> Result<Vec<IpAddr>, NetError> {
        let v4 = pin!(self.dns.lookup(name.clone(), RecordType::A));
        let v6 = pin!(self.dns.lookup(name, RecordType::AAAA));
        let (v4, v6) = match select(v4, v6).await {
            Either::Left((v4, v6)) if has_addresses(&v4) => {
                (v4, timeout(IPV6_WAIT, v6).await.unwrap_or(Err(NetError::Timeout)))
            }
            Either::Left((v4, v6)) => (v4, v6.await),
            Either::Right((v6, v4)) => (v4.await, v6),
        };
        match (v4, v6) {
            (Err(error), Err(_)) => Err(error),
            (v4, v6) => Ok([v4, v6].iter().flatten().flat_map(addresses).collect()),
        }
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
            self.ask(name).await.map_err(ResolveError::Lookup)
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

fn has_addresses(told: &Result<Lookup, NetError>) -> bool {
    told.as_ref().is_ok_and(|lookup| !addresses(lookup).is_empty())
}
