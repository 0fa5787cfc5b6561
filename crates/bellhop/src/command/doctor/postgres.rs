//! PostgreSQL: reachable, new enough, migrated, and sealed with the keys that we have.

use bellhop_store::{PostgresFacts, Store, StoreError};
use time::OffsetDateTime;

use crate::command::doctor::clocks::{self, Skew};
use crate::command::doctor::finding::{Finding, Subject};

/// The oldest version that still gets corrections, as PostgreSQL numbers them.
const VERSION_MIN: i32 = 140_000;

/// Examines PostgreSQL.
pub(super) async fn examine(store: &Store) -> Vec<Finding> {
    // The first answer takes as long as signing in, which says nothing about the clock.
    if let Err(error) = store.ping_postgres().await {
        return vec![Finding::problem(
            Subject::Postgres,
            error.to_string(),
            "webhooks cannot be changed, and an organisation that no copy knows waits for its deliveries",
            "check `BELLHOP_POSTGRES_URL` and the server; nothing needs to be restarted afterwards",
        )];
    }
    let asked_at = OffsetDateTime::now_utc();
    let mut findings = match store.postgres_facts().await {
        Ok(facts) => {
            let skew = Skew::of(facts.clock, asked_at);
            let mut findings = judge_facts(facts);
            findings.push(clocks::judge("PostgreSQL", skew));
            findings
        }
        Err(error) => vec![unanswered(&error)],
    };
    let schema = store.check_schema().await;
    let is_migrated = schema.is_ok();
    findings.push(judge_schema(schema));
    if is_migrated {
        findings.push(judge_keys(store.verify_sealing_keys().await));
    }
    findings
}

fn judge_facts(facts: PostgresFacts) -> Vec<Finding> {
    let version = format!("version {}.{}", facts.version / 10_000, facts.version % 10_000);
    let mut findings = vec![if VERSION_MIN <= facts.version {
        Finding::ok(Subject::Postgres, version)
    } else {
        let why = "nobody tries Bellhop with it, and it gets no corrections";
        Finding::warning(Subject::Postgres, format!("{version} is old"), why, "upgrade to 14 or later")
    }];
    if facts.is_standby {
        findings.push(Finding::problem(
            Subject::Postgres,
            "the server is a standby",
            "it takes no writes: no webhook can be registered or changed",
            "name the primary in the URL, or every host with `target_session_attrs=read-write`",
        ));
    }
    findings
}

fn judge_schema(checked: Result<(), StoreError>) -> Finding {
    match checked {
        Ok(()) => Finding::ok(Subject::Postgres, "its tables are what this version needs"),
        Err(StoreError::NotMigrated) => Finding::problem(
            Subject::Postgres,
            "its tables are missing or too old for this version",
            "no subscription can be read",
            "run `bellhop migrate`",
        ),
        Err(error) => unanswered(&error),
    }
}

fn judge_keys(verified: Result<(), StoreError>) -> Finding {
    match verified {
        Ok(()) => Finding::ok(Subject::Postgres, "our sealing keys open what is stored"),
        Err(error @ (StoreError::SealingKeyUnknown { .. } | StoreError::SealingKeyWrong { .. })) => {
            Finding::problem(
                Subject::Postgres,
                error.to_string(),
                "no payload can be signed for the webhooks concerned",
                "configure the key that they were sealed with in `[sealing] key`, after the current one",
            )
        }
        Err(error) => unanswered(&error),
    }
}

fn unanswered(error: &StoreError) -> Finding {
    let why = "it could not be checked further";
    Finding::problem(Subject::Postgres, error.to_string(), why, "look into PostgreSQL's log")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Mark;

    #[test]
    fn version_and_role_are_judged() {
        let cases = [
            (150_018, false, Mark::Ok),
            (170_002, false, Mark::Ok),
            (130_021, false, Mark::Warning),
            (150_018, true, Mark::Problem),
        ];
        for (version, is_standby, expected) in cases {
            let facts = PostgresFacts { version, is_standby, clock: OffsetDateTime::UNIX_EPOCH };
            let worst = judge_facts(facts).iter().map(|finding| finding.mark).max();
            assert_eq!(worst, Some(expected), "{version}");
        }
    }

    #[test]
    fn a_missing_key_and_missing_tables_say_what_to_do() {
        assert!(judge_schema(Err(StoreError::NotMigrated)).mend.contains("bellhop migrate"));
        let unknown = StoreError::SealingKeyUnknown { key_id: "k1".to_owned() };
        let finding = judge_keys(Err(unknown));
        assert_eq!(finding.mark, Mark::Problem);
        assert!(finding.what.contains("`k1`") && finding.mend.contains("[sealing] key"));
        assert_eq!(judge_keys(Ok(())).mark, Mark::Ok);
    }
}
