//! Our own configuration: what is legal, but should not stay so.

use std::time::Duration;

use bellhop_sender::address::AllowList;
use bellhop_sender::{Sender, SenderOptions};
use bellhop_worker::WorkerOptions;

use crate::command::doctor::finding::{Finding, Subject, list};
use crate::config::Config;

/// What a drain should leave for recording a result after the longest request.
const RECORDING_TIME: Duration = Duration::from_secs(5);

/// Examines the configuration, which was read without a problem.
pub(super) fn examine(config: &Config) -> Vec<Finding> {
    vec![
        Finding::ok(Subject::Configuration, "every key is known and legal"),
        judge_allowed(&config.sender.allowed),
        judge_drain(config.sender.request_timeout, config.shutdown.drain_timeout),
        judge_lanes(&config.worker),
        try_sender(config.sender.clone()),
    ]
}

fn judge_allowed(allowed: &AllowList) -> Finding {
    if *allowed == AllowList::default() {
        return Finding::ok(Subject::Configuration, "only public addresses are called");
    }
    Finding::warning(
        Subject::Configuration,
        "`[sender] allow_cidrs` lets webhooks reach networks that are otherwise forbidden",
        "whoever may register a webhook can call every server in them from inside",
        "remove it (`BELLHOP_SENDER_ALLOW_CIDRS`) everywhere but on a trial system",
    )
}

fn judge_drain(request_timeout: Duration, drain_timeout: Duration) -> Finding {
    if request_timeout + RECORDING_TIME <= drain_timeout {
        let what = format!(
            "a request ({request_timeout:?}) ends, and is recorded, within the drain ({drain_timeout:?})"
        );
        return Finding::ok(Subject::Configuration, what);
    }
    Finding::warning(
        Subject::Configuration,
        format!("the drain ({drain_timeout:?}) is hardly longer than a request ({request_timeout:?})"),
        "a request that ends late may not be recorded before the process does, and is sent again",
        format!("raise `[shutdown] drain_timeout` to {:?}", request_timeout + RECORDING_TIME),
    )
}

fn judge_lanes(worker: &WorkerOptions) -> Finding {
    let left: Vec<String> = worker.modes_relying_on_others().map(|mode| format!("{mode}.slow")).collect();
    if left.is_empty() {
        return Finding::ok(Subject::Configuration, "a worker serves the lane of whatever it finds slow");
    }
    Finding::note(
        Subject::Configuration,
        format!("`[worker] lanes` names fresh lanes and leaves {} to other workers", list(&left)),
        "see to it that some worker serves them; what is handed there waits until one does",
    )
}

fn try_sender(options: SenderOptions) -> Finding {
    match Sender::new(options) {
        Ok(_) => Finding::ok(Subject::Configuration, "the system's resolver and the TLS roots can be used"),
        Err(error) => Finding::problem(
            Subject::Configuration,
            format!("{:#}", anyhow::Error::new(error)),
            "no worker starts here",
            "see `/etc/resolv.conf` and section `[sender]`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Mark;

    #[test]
    fn an_allow_list_is_never_passed_over() {
        assert_eq!(judge_allowed(&AllowList::default()).mark, Mark::Ok);
        let allowed = AllowList::parse(["127.0.0.0/8"]).expect("a network");
        assert_eq!(judge_allowed(&allowed).mark, Mark::Warning);
    }

    #[test]
    fn a_drain_leaves_time_to_record() {
        let cases =
            [(15, 25, Mark::Ok), (15, 20, Mark::Ok), (15, 19, Mark::Warning), (60, 61, Mark::Warning)];
        for (request, drain, expected) in cases {
            let finding = judge_drain(Duration::from_secs(request), Duration::from_secs(drain));
            assert_eq!(finding.mark, expected, "{request} s in {drain} s");
        }
    }
}
