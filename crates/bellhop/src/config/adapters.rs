//! How the broker, the stores and strangers' endpoints are reached.

use std::fs;
use std::time::Duration;

use bellhop_broker::{BrokerAddress, Shards};
use bellhop_runtime::config::{Key, Settings};
use bellhop_sender::SenderOptions;
use bellhop_sender::address::AllowList;
use bellhop_store::{SealingKeys, ServerUrl, StoreOptions};

/// Reads section `[amqp]`.
pub(super) fn read_broker(settings: &mut Settings, is_needed: bool) -> (Option<BrokerAddress>, Shards) {
    let mut amqp = settings.section("amqp", "Where the RabbitMQ broker is and who we are there.");
    let url = amqp.secret(
        Key { name: "url", meaning: "The broker's address, parts percent-encoded. For a cluster, name the hosts of several nodes, separated by commas (`@rabbit1:5671,rabbit2:5671/`), unless a load balancer stands before them: a process begins with any of them and moves to the next when one fails. Workers and producers sign in with users that may not configure." },
        "an `amqp://` or `amqps://` URL",
        "amqps://bellhop-worker:password@rabbitmq:5671/bellhop",
    );
    let authority = amqp.optional_text(
        Key { name: "ca_file", meaning: "PEM file of the certificate authorities to trust for `amqps`. Without it the public ones are trusted." },
        "/etc/bellhop/broker-ca.pem",
    );
    let shards = amqp.integer(
        Key { name: "shards", meaning: "Over how many queues the fresh events of each mode are spread, by organisation: a burst of one organisation then holds up those alone that share its shard, and one queue's throughput is no longer the fleet's. More than one needs RabbitMQ's plugin rabbitmq_consistent_hash_exchange. Too many cost the broker memory and disk, a Raft group each. Workers, recorders, `bellhop topology` and `bellhop doctor` must agree on it; `deploy/rabbitmq/README.md` says in which order to change it." },
        Shards::ONE.get(),
        Shards::ONE.get()..=Shards::MAX,
    );
    let shards = Shards::new(shards).expect("the range is that of shards");
    let authority = authority.and_then(|path| {
        let read = fs::read_to_string(&path);
        read.map_err(|error| amqp.problem("ca_file", format!("`{path}` cannot be read: {error}"))).ok()
    });
    let Some(url) = url else {
        if is_needed {
            amqp.problem(
                "url",
                "is required by this command: `eval \"$(make -s env)\"` sets it for the local stack",
            );
        }
        return (None, shards);
    };
    let address = BrokerAddress::parse(url.expose(), authority);
    (address.map_err(|error| amqp.problem("url", error.to_string())).ok(), shards)
}

/// Reads sections `[postgres]`, `[redis]`, `[memory]`, `[webhooks]` and `[sealing]`.
pub(super) fn read_store(settings: &mut Settings, is_needed: bool) -> Option<StoreOptions> {
    let placeholder = SealingKeys::parse("none:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        .expect("a key of zeros is well formed");
    let mut options = StoreOptions::new(ServerUrl::new(""), ServerUrl::new(""), placeholder);
    let postgres = read_postgres(settings, &mut options, is_needed);
    let redis = read_redis(settings, &mut options, is_needed);
    read_memory(settings, &mut options);
    read_webhooks(settings, &mut options);
    let sealing = read_sealing(settings, is_needed);
    options.postgres.url = ServerUrl::new(postgres?);
    options.redis.url = ServerUrl::new(redis?);
    options.sealing = sealing?;
    Some(options)
}

fn read_postgres(settings: &mut Settings, options: &mut StoreOptions, is_needed: bool) -> Option<String> {
    let defaults = &mut options.postgres;
    let mut postgres = settings.section("postgres", "Where the truth about webhooks lies.");
    let url = postgres.secret(
        Key { name: "url", meaning: "PostgreSQL's address; `?sslmode=require` encrypts and verifies." },
        "a `postgres://` URL",
        "postgres://bellhop:password@postgres:5432/bellhop?sslmode=require",
    );
    defaults.schema = postgres
        .text(Key { name: "schema", meaning: "Schema that holds Bellhop's tables." }, &defaults.schema);
    defaults.connections_max = postgres.integer(
        Key { name: "connections_max", meaning: "Most connections of one process. Too low and a flushed cache fills slowly; too high and many workers exhaust the server." },
        defaults.connections_max,
        2..=200,
    );
    defaults.connect_timeout = postgres.duration(
        Key { name: "connect_timeout", meaning: "Longest wait for a connection." },
        defaults.connect_timeout,
        Duration::from_millis(100)..=Duration::from_secs(30),
    );
    defaults.query_timeout = postgres.duration(
        Key { name: "query_timeout", meaning: "Longest wait for one operation." },
        defaults.query_timeout,
        Duration::from_millis(100)..=Duration::from_secs(15),
    );
    if url.is_none() && is_needed {
        postgres.problem(
            "url",
            "is required by this command: `eval \"$(make -s env)\"` sets it for the local stack",
        );
    }
    url.map(|url| url.expose().to_owned())
}

fn read_redis(settings: &mut Settings, options: &mut StoreOptions, is_needed: bool) -> Option<String> {
    let defaults = &mut options.redis;
    let mut redis =
        settings.section("redis", "Where the cached copy of subscriptions and the claims on attempts lie.");
    let url = redis.secret(
        Key { name: "url", meaning: "Redis' address (7.0 or later); `rediss://` encrypts and verifies." },
        "a `redis://` or `rediss://` URL",
        "redis://:password@redis:6379/0",
    );
    defaults.key_prefix = redis.text(
        Key {
            name: "key_prefix",
            meaning: "What every key and channel begins with, so that fleets can share a Redis.",
        },
        &defaults.key_prefix,
    );
    defaults.connections_max = redis.integer(
        Key {
            name: "connections_max",
            meaning: "Most connections of one process, besides one that listens.",
        },
        defaults.connections_max,
        1..=200,
    );
    defaults.timeout = redis.duration(
        Key { name: "timeout", meaning: "Longest wait for one operation. Too low and a distant Redis is never reached; too high and a hanging one delays every miss by as much." },
        defaults.timeout,
        Duration::from_millis(10)..=Duration::from_secs(5),
    );
    defaults.ttl = redis.duration(
        Key { name: "ttl", meaning: "How long a cached copy lives. It bounds what a copy can outlive, such as a database restored from a backup." },
        defaults.ttl,
        Duration::from_secs(10)..=Duration::from_secs(24 * 60 * 60),
    );
    if url.is_none() && is_needed {
        redis.problem(
            "url",
            "is required by this command: `eval \"$(make -s env)\"` sets it for the local stack",
        );
    }
    url.map(|url| url.expose().to_owned())
}

fn read_memory(settings: &mut Settings, options: &mut StoreOptions) {
    let defaults = &mut options.memory;
    let mut memory = settings.section("memory", "Each process's own copy of subscriptions.");
    defaults.revalidate_after = memory.duration(
        Key { name: "revalidate_after", meaning: "A copy older than this is read again before it is used. With more than 4s a change may take longer than 5 s to hold everywhere." },
        defaults.revalidate_after,
        Duration::from_millis(100)..=Duration::from_secs(60),
    );
    defaults.stale_max = memory.duration(
        Key { name: "stale_max", meaning: "A copy older than this is not used even when neither Redis nor PostgreSQL can be reached. Too low stops deliveries early in an outage; too high delivers to webhooks changed meanwhile." },
        defaults.stale_max,
        Duration::from_secs(5)..=Duration::from_secs(24 * 60 * 60),
    );
    defaults.bytes_max = memory.bytes(
        Key { name: "bytes_max", meaning: "Roughly how much the copies of each mode may take." },
        defaults.bytes_max,
        1024 * 1024..=4 * 1024 * 1024 * 1024,
    );
}

fn read_webhooks(settings: &mut Settings, options: &mut StoreOptions) {
    let mut webhooks = settings.section("webhooks", "What organisations may register.");
    options.webhooks_per_organisation_max = webhooks.integer(
        Key { name: "per_organisation_max", meaning: "Most webhooks of one organisation in one mode. Each event becomes as many deliveries, and is in hand until the slowest has settled." },
        options.webhooks_per_organisation_max,
        1..=100,
    );
}

fn read_sealing(settings: &mut Settings, is_needed: bool) -> Option<SealingKeys> {
    let mut sealing = settings.section("sealing", "What secrets and cached copies are sealed with.");
    let keys = sealing.secret(
        Key { name: "key", meaning: "Keys as `<id>:<base64 of 32 random bytes>`, separated by commas: the first seals, all open. To rotate, put a new one in front. Losing a key loses every secret sealed with it." },
        "`<id>:<base64 of 32 bytes>`, separated by commas",
        "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    );
    let Some(keys) = keys else {
        if is_needed {
            sealing.problem("key", "is required by this command: make one with `echo \"k1:$(openssl rand -base64 32)\"` and keep it safe");
        }
        return None;
    };
    SealingKeys::parse(keys.expose()).map_err(|error| sealing.problem("key", error.to_string())).ok()
}

/// Reads section `[sender]`.
pub(super) fn read_sender(settings: &mut Settings) -> SenderOptions {
    let defaults = SenderOptions::default();
    let mut sender = settings.section("sender", "How endpoints are called.");
    let request_timeout = sender.duration(
        Key { name: "request_timeout", meaning: "One deadline over resolving, connecting, TLS, request and answer. Too low fails slow endpoints; too high lets a hanging one hold its place for long." },
        defaults.request_timeout,
        Duration::from_millis(100)..=Duration::from_secs(60),
    );
    let step_timeout = sender.duration(
        Key { name: "step_timeout", meaning: "Longest time of each step before the request (resolving, TCP, TLS), at most request_timeout." },
        defaults.step_timeout,
        Duration::from_millis(50)..=Duration::from_secs(60),
    );
    if request_timeout < step_timeout {
        sender.problem("step_timeout", "is longer than request_timeout");
    }
    let idle_timeout = sender.duration(
        Key { name: "idle_timeout", meaning: "How long a connection is kept for the next request. Common servers close idle ones after 5s; the closer to that, the more attempts fail for it." },
        defaults.idle_timeout,
        Duration::ZERO..=Duration::from_millis(4_900),
    );
    let idle_connections_per_host_max = sender.integer(
        Key { name: "idle_connections_per_host_max", meaning: "Idle connections kept per host and mode. Too few, and a burst for one host opens and closes connections, each worth several requests; too many keep sockets of quiet hosts." },
        defaults.idle_connections_per_host_max,
        0..=1000,
    );
    let kept_connections_max = sender.integer(
        Key { name: "kept_connections_max", meaning: "Connections kept in each mode for a next request, in use or idle; what is opened beyond is closed after its request. Too few, and requests open connections that could have been kept. Twice this and worker.sockets_max bound the sockets of a worker: keep the sum below the process's limit of open files." },
        defaults.kept_connections_max,
        0..=65_535,
    );
    let networks = sender.list::<String>(
        Key { name: "allow_cidrs", meaning: "Networks that may be called although they are forbidden to strangers (loopback, private, link-local and the like). For trials only; anything here can be reached by anybody who may register a webhook." },
        "a network such as `127.0.0.0/8`",
        &[],
    );
    let allowed = AllowList::parse(networks.iter().map(String::as_str)).unwrap_or_else(|error| {
        sender.problem("allow_cidrs", error.to_string());
        AllowList::default()
    });
    let authority = sender.optional_text(
        Key {
            name: "ca_file",
            meaning: "PEM file of certificate authorities accepted besides the public ones.",
        },
        "/etc/bellhop/endpoint-ca.pem",
    );
    let extra_roots = authority.map_or_else(Vec::new, |path| {
        let read = fs::read(&path).map_err(|error| format!("`{path}` cannot be read: {error}"));
        let certificates =
            read.and_then(|pem| bellhop_sender::read_certificates(&pem).map_err(|error| error.to_string()));
        certificates.unwrap_or_else(|problem| {
            sender.problem("ca_file", problem);
            Vec::new()
        })
    });
    SenderOptions {
        request_timeout,
        step_timeout,
        allowed,
        idle_timeout,
        idle_connections_per_host_max,
        kept_connections_max,
        extra_roots,
    }
}
