//! Redis: reachable, new enough, and not forgetting claims.

use bellhop_store::{RedisFacts, Store};
use time::OffsetDateTime;

use crate::command::doctor::clocks::{self, Skew};
use crate::command::doctor::finding::{Finding, Subject};

/// The first version that knows `SET … NX GET`, with which an attempt is claimed.
const VERSION_MIN: (u32, u32) = (7, 0);

/// Examines Redis.
pub(super) async fn examine(store: &Store) -> Vec<Finding> {
    let away = |error: bellhop_store::StoreError| {
        vec![Finding::problem(
            Subject::Redis,
            error.to_string(),
            "deliveries go on, but every miss falls on PostgreSQL and a crash may repeat more requests",
            "check `BELLHOP_REDIS_URL` and the server; nothing needs to be restarted afterwards",
        )]
    };
    // The first answer takes as long as signing in, which says nothing about the clock.
    if let Err(error) = store.ping_redis().await {
        return away(error);
    }
    let asked_at = OffsetDateTime::now_utc();
    match store.redis_facts().await {
        Ok(facts) => {
            let skew = Skew::of(facts.clock, asked_at);
            vec![
                judge_version(&facts.version),
                judge_role(&facts.role),
                judge_eviction(&facts),
                judge_persistence(facts.is_append_only),
                clocks::judge("Redis", skew),
            ]
        }
        Err(error) => away(error),
    }
}

fn judge_version(version: &str) -> Finding {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let known = parts.next().flatten().zip(parts.next().flatten());
    if known.is_some_and(|found| VERSION_MIN <= found) {
        return Finding::ok(Subject::Redis, format!("version {version}"));
    }
    Finding::problem(
        Subject::Redis,
        format!("version `{version}` is not 7.0 or later"),
        "attempts cannot be claimed: after a crash each copy of a delivery is sent",
        "upgrade Redis",
    )
}

fn judge_role(role: &str) -> Finding {
    if role == "master" {
        return Finding::ok(Subject::Redis, "the server takes writes");
    }
    Finding::problem(
        Subject::Redis,
        format!("the server is a `{role}`, not a master"),
        "it takes no claims and no copies",
        "name the master in the URL",
    )
}

/// Claims and copies both expire. What a full server forgets must be copies, which can be read again.
fn judge_eviction(facts: &RedisFacts) -> Finding {
    let RedisFacts { eviction, memory_bytes_max, .. } = facts;
    let mend = "`CONFIG SET maxmemory-policy noeviction`, or `volatile-ttl`, which takes copies before claims; and in its configuration";
    if *memory_bytes_max == 0 {
        let what =
            format!("it has no memory limit, so nothing is evicted (`maxmemory-policy` is `{eviction}`)");
        return if eviction.starts_with("allkeys-") {
            Finding::note(Subject::Redis, what, mend)
        } else {
            Finding::ok(Subject::Redis, what)
        };
    }
    match eviction.as_str() {
        "noeviction" | "volatile-ttl" => {
            Finding::ok(Subject::Redis, format!("`maxmemory-policy` is `{eviction}`: claims stay"))
        }
        _ if eviction.starts_with("volatile-") => Finding::warning(
            Subject::Redis,
            format!("`maxmemory-policy` is `{eviction}`"),
            "when it is full it may forget claims, and after a crash requests are repeated",
            mend,
        ),
        _ => Finding::problem(
            Subject::Redis,
            format!("`maxmemory-policy` is `{eviction}`"),
            "when it is full it forgets claims like anything else, and after a crash requests are repeated",
            mend,
        ),
    }
}

fn judge_persistence(is_append_only: bool) -> Finding {
    if is_append_only {
        return Finding::ok(Subject::Redis, "claims outlive its restart (`appendonly` is on)");
    }
    Finding::note(
        Subject::Redis,
        "claims may not outlive its restart: `appendonly` is off, and with it a crash of a worker shortly before may repeat requests",
        "`CONFIG SET appendonly yes`, and in its configuration",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Mark;

    #[test]
    fn versions_are_judged() {
        let cases =
            [("7.0.15", Mark::Ok), ("8.2.1", Mark::Ok), ("6.2.14", Mark::Problem), ("", Mark::Problem)];
        for (version, expected) in cases {
            assert_eq!(judge_version(version).mark, expected, "{version}");
        }
    }

    #[test]
    fn what_may_forget_claims_is_found() {
        let cases = [
            ("noeviction", 1 << 30, Mark::Ok),
            ("volatile-ttl", 1 << 30, Mark::Ok),
            ("volatile-lru", 1 << 30, Mark::Warning),
            ("volatile-random", 1 << 30, Mark::Warning),
            ("allkeys-lru", 1 << 30, Mark::Problem),
            ("allkeys-random", 1 << 30, Mark::Problem),
            ("", 1 << 30, Mark::Problem),
            ("allkeys-lru", 0, Mark::Note),
            ("noeviction", 0, Mark::Ok),
        ];
        for (eviction, memory_bytes_max, expected) in cases {
            let facts = RedisFacts {
                version: "7.0.15".to_owned(),
                role: "master".to_owned(),
                eviction: eviction.to_owned(),
                memory_bytes_max,
                is_append_only: true,
                clock: OffsetDateTime::UNIX_EPOCH,
            };
            assert_eq!(judge_eviction(&facts).mark, expected, "{eviction} with {memory_bytes_max}");
        }
    }

    #[test]
    fn a_replica_is_a_problem() {
        assert_eq!(judge_role("master").mark, Mark::Ok);
        assert_eq!(judge_role("slave").mark, Mark::Problem);
    }
}
