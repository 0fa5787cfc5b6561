//! What our user may do on the broker, against what its role needs.

use std::collections::BTreeSet;

use bellhop_broker::{Shards, names};
use bellhop_model::Mode;
use bellhop_worker::LaneOptions;
use regex::Regex;

use crate::command::doctor::finding::{Finding, Subject, list};
use crate::command::doctor::management::{Facts, ManagementError, Permission, Told, TopicPermission};
use crate::command::doctor::{Expected, Role};

/// Where the commands are that set permissions.
const SEE: &str = "set the role's permissions as in `deploy/rabbitmq/README.md`";

/// A key that every event of a mode is published with, for trying patterns.
const SAMPLE_TYPE: &str = "appointment.scheduled";

/// What a role needs.
struct Needs {
    write: BTreeSet<String>,
    read: BTreeSet<String>,
    configure: BTreeSet<String>,
}

/// Judges the permissions that were told, or says why there are none.
pub(super) fn examine(expected: &Expected<'_>, facts: &Facts) -> Vec<Finding> {
    let &Expected { address, lanes, shards, role, .. } = expected;
    let (vhost, user) = (address.vhost(), address.user());
    let permissions = match known(user, &facts.permissions) {
        Ok(permissions) => permissions,
        Err(finding) => return vec![finding],
    };
    let Some(permission) = permissions.iter().find(|permission| permission.vhost == vhost) else {
        return vec![Finding::problem(
            Subject::Permissions,
            format!("user `{user}` has no permissions on virtual host `{vhost}`"),
            "it cannot even sign in there",
            SEE,
        )];
    };
    let mut findings = judge(&Needs::of(role, lanes, shards), role, permission, user);
    if matches!(role, Role::Producer | Role::Api) {
        let told = known(user, &facts.topic_permissions);
        findings.push(told.map_or_else(|finding| finding, |topics| judge_topics(topics, permission, user)));
    }
    findings
}

fn known<'f, T>(user: &str, told: &'f Told<Vec<T>>) -> Result<&'f [T], Finding> {
    match (told.value(), told.error()) {
        (Some(value), _) => Ok(value),
        (None, Some(ManagementError::Refused)) => Err(Finding::skipped(
            Subject::Permissions,
            format!("those of user `{user}`: RabbitMQ shows them to administrators alone"),
            "run the doctor once with an administrator in `BELLHOP_RABBITMQ_MANAGEMENT_URL`",
        )),
        (None, Some(ManagementError::NotFound(_))) => Err(Finding::skipped(
            Subject::Permissions,
            format!("those of user `{user}`, whom RabbitMQ does not know by itself"),
            "see where it takes its users from (LDAP, OAuth 2 and the like)",
        )),
        (None, error) => Err(Finding::problem(
            Subject::Permissions,
            format!(
                "RabbitMQ did not tell those of user `{user}`{}",
                error.map(|e| format!(": {e}")).unwrap_or_default()
            ),
            "they could not be checked",
            "see the broker's log",
        )),
    }
}

/// Judges the permissions on exchanges and queues.
fn judge(needs: &Needs, role: Role, permission: &Permission, user: &str) -> Vec<Finding> {
    let kinds = [
        ("write", &permission.write, &needs.write),
        ("read", &permission.read, &needs.read),
        ("configure", &permission.configure, &needs.configure),
    ];
    let mut findings = Vec::new();
    for (kind, pattern, needed) in kinds {
        let Some(pattern) = Pattern::read(pattern) else {
            findings.push(Finding::skipped(
                Subject::Permissions,
                format!("the {kind} pattern `{pattern}` of user `{user}`: only RabbitMQ can read it"),
                "write it without look-around and back-references to have it checked",
            ));
            continue;
        };
        let missing: Vec<&str> =
            needed.iter().map(String::as_str).filter(|name| !pattern.is_match(name)).collect();
        if !missing.is_empty() {
            findings.push(Finding::problem(
                Subject::Permissions,
                format!("user `{user}` has no {kind} permission on {}", list(&missing)),
                format!("{} needs it", role.named()),
                SEE,
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            Subject::Permissions,
            format!("user `{user}` may do what {} needs", role.named()),
        ));
    }
    if role != Role::Operator
        && Pattern::read(&permission.configure).is_some_and(|p| p.is_match("bellhop.live.due"))
    {
        findings.push(Finding::note(
            Subject::Permissions,
            format!(
                "user `{user}` may configure (`{}`): whoever has its password can delete queues",
                permission.configure
            ),
            format!("{} needs no configure permission: set it to ''", role.named()),
        ));
    }
    findings
}

/// Judges for which modes a producer may publish. Without topic permissions it may for both.
fn judge_topics(topics: &[TopicPermission], permission: &Permission, user: &str) -> Finding {
    let of_events = topics
        .iter()
        .find(|topic| topic.vhost == permission.vhost && topic.exchange == names::EVENTS_EXCHANGE);
    let Some(topic) = of_events else {
        return Finding::note(
            Subject::Permissions,
            format!("user `{user}` may publish live and test events"),
            "restrict it to its own mode with `rabbitmqctl set_topic_permissions`",
        );
    };
    let written = topic.write.replace("{username}", user).replace("{vhost}", &permission.vhost);
    let Some(pattern) = Pattern::read(&written) else {
        let what = format!("the topic pattern `{}` of user `{user}`: only RabbitMQ can read it", topic.write);
        return Finding::skipped(
            Subject::Permissions,
            what,
            "write it without look-around and back-references",
        );
    };
    let modes: Vec<&str> = Mode::ALL
        .into_iter()
        .filter(|mode| pattern.is_match(&format!("{mode}.{SAMPLE_TYPE}")))
        .map(Mode::as_str)
        .collect();
    if modes.is_empty() {
        return Finding::problem(
            Subject::Permissions,
            format!(
                "user `{user}` may write no topic of `{}`: its pattern is `{}`",
                names::EVENTS_EXCHANGE,
                topic.write
            ),
            "every event it publishes is refused",
            SEE,
        );
    }
    Finding::ok(Subject::Permissions, format!("user `{user}` may publish {} events", modes.join(" and ")))
}

impl Needs {
    fn of(role: Role, lanes: &[LaneOptions], shards: Shards) -> Self {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        let (none, everything) =
            (BTreeSet::new(), set(&["bellhop.live", "bellhop.live.due", names::EVENTS_EXCHANGE]));
        match role {
            Role::Worker => {
                let exchanges = lanes.iter().map(|lane| names::mode_exchange(lane.mode));
                Self {
                    write: exchanges.chain([names::LOG.to_owned()]).collect(),
                    read: lanes.iter().flat_map(|lane| lane.kind.queues(lane.mode, shards)).collect(),
                    configure: none,
                }
            }
            // What cannot be written is parked through the log's own exchange; what is owed again goes through the modes'.
            Role::Recorder => {
                let exchanges = Mode::ALL.map(names::mode_exchange);
                Self {
                    write: exchanges.into_iter().chain([names::LOG.to_owned()]).collect(),
                    read: set(&[names::LOG]),
                    configure: none,
                }
            }
            Role::Producer => {
                Self { write: set(&[names::EVENTS_EXCHANGE]), read: none.clone(), configure: none }
            }
            // A test event goes past the exchange for events, into the due lane of its mode.
            Role::Api => Self {
                write: set(&[names::EVENTS_EXCHANGE, "bellhop.live", "bellhop.test"]),
                read: none.clone(),
                configure: none,
            },
            // Binding writes to the queue and reads from the exchange; dead-lettering writes and reads likewise.
            Role::Operator => {
                Self { write: everything.clone(), read: everything.clone(), configure: everything }
            }
        }
    }
}

impl Role {
    /// The role with its article, in the middle of a sentence.
    const fn named(self) -> &'static str {
        match self {
            Self::Worker => "a worker",
            Self::Recorder => "a recorder",
            Self::Producer => "a producer",
            Self::Api => "an API",
            Self::Operator => "an operator",
        }
    }
}

/// A permission as RabbitMQ matches it: anywhere in the name, and the empty one nowhere.
struct Pattern(Option<Regex>);

impl Pattern {
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(None));
        }
        Regex::new(text).ok().map(|pattern| Self(Some(pattern)))
    }

    fn is_match(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|pattern| pattern.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use bellhop_worker::{LaneKind, LaneName};

    use super::*;
    use crate::command::doctor::finding::Mark;

    fn lanes() -> Vec<LaneOptions> {
        LaneName::ALL.map(|LaneName(mode, kind)| LaneOptions { mode, kind, in_flight_max: 1 }).to_vec()
    }

    fn worst(role: Role, lanes: &[LaneOptions], [configure, write, read]: [&str; 3]) -> Option<Mark> {
        let permission = Permission {
            vhost: "v".to_owned(),
            configure: configure.to_owned(),
            write: write.to_owned(),
            read: read.to_owned(),
        };
        let needs = Needs::of(role, lanes, Shards::new(Shards::MAX).expect("the bound"));
        judge(&needs, role, &permission, "u").into_iter().map(|finding| finding.mark).max()
    }

    #[test]
    fn each_role_is_judged_by_what_it_needs() {
        let worker_write = r"^bellhop\.(live|test|log)$";
        let worker_read = r"^bellhop\.(live|test)\.(events\.[0-9]+|slow|due)$";
        let cases = [
            (Role::Worker, ["", worker_write, worker_read], Mark::Ok),
            (Role::Worker, [".*", ".*", ".*"], Mark::Note),
            (Role::Worker, ["", r"^bellhop\.(live|log)$", worker_read], Mark::Problem),
            (Role::Worker, ["", worker_write, ""], Mark::Problem),
            (Role::Worker, ["", worker_write, r"^bellhop\.(live|test)\.(events\.[0-9]|due)$"], Mark::Problem),
            (Role::Worker, ["", "(?=bellhop).*", worker_read], Mark::Skipped),
            (Role::Recorder, ["", worker_write, r"^bellhop\.log$"], Mark::Ok),
            (Role::Recorder, ["", r"^bellhop\.log$", r"^bellhop\.log$"], Mark::Problem),
            (Role::Recorder, ["", "", r"^bellhop\.log$"], Mark::Problem),
            (Role::Recorder, ["", worker_write, worker_read], Mark::Problem),
            (Role::Producer, ["", r"^bellhop\.events$", ""], Mark::Ok),
            (Role::Producer, ["", "", ""], Mark::Problem),
            (Role::Producer, [r"^bellhop\.", r"^bellhop\.events$", ""], Mark::Note),
            (Role::Api, ["", r"^bellhop\.(events|live|test)$", ""], Mark::Ok),
            (Role::Api, ["", r"^bellhop\.events$", ""], Mark::Problem),
            (Role::Operator, [r"^bellhop\."; 3], Mark::Ok),
            (Role::Operator, ["", r"^bellhop\.", r"^bellhop\."], Mark::Problem),
        ];
        for (role, patterns, expected) in cases {
            assert_eq!(worst(role, &lanes(), patterns), Some(expected), "{role:?} with {patterns:?}");
        }
    }

    #[test]
    fn a_worker_of_one_mode_needs_nothing_of_the_other() {
        let live: Vec<LaneOptions> = lanes().into_iter().filter(|lane| lane.mode == Mode::Live).collect();
        let patterns = ["", r"^bellhop\.(live|log)$", r"^bellhop\.live\."];
        assert_eq!(worst(Role::Worker, &live, patterns), Some(Mark::Ok));
        assert_eq!(worst(Role::Worker, &lanes(), patterns), Some(Mark::Problem));
        assert!(live.iter().any(|lane| lane.kind == LaneKind::Due));
    }

    #[test]
    fn topic_permissions_tell_which_modes_a_producer_may_publish() {
        let permission = Permission {
            vhost: "v".to_owned(),
            configure: String::new(),
            write: r"^bellhop\.events$".to_owned(),
            read: String::new(),
        };
        let cases = [
            (Some(r"^test\."), Mark::Ok, "may publish test events"),
            (Some(r"^(live|test)\."), Mark::Ok, "may publish live and test events"),
            (Some(""), Mark::Problem, "no topic"),
            (Some("^other"), Mark::Problem, "no topic"),
            (None, Mark::Note, "may publish live and test events"),
        ];
        for (write, mark, what) in cases {
            let topics: Vec<TopicPermission> = write
                .map(|write| TopicPermission {
                    vhost: "v".to_owned(),
                    exchange: names::EVENTS_EXCHANGE.to_owned(),
                    write: write.to_owned(),
                })
                .into_iter()
                .collect();
            let finding = judge_topics(&topics, &permission, "u");
            assert_eq!(finding.mark, mark, "{write:?}");
            assert!(finding.what.contains(what), "{}", finding.what);
        }
    }
}
