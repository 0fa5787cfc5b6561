//! All findings, in order, as text or JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::command::doctor::finding::{Finding, Mark};

/// The findings by subject, in the order they were made within each.
pub(super) struct Report {
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.subject);
        Self { findings }
    }

    /// How many findings have a mark.
    pub(super) fn count(&self, mark: Mark) -> usize {
        self.findings.iter().filter(|finding| finding.mark == mark).count()
    }

    /// For people.
    ///
    /// * `is_coloured`: whether the marks are coloured, as on a terminal.
    pub(super) fn text(&self, is_coloured: bool) -> String {
        let mut text = String::new();
        let mut subject = None;
        for finding in &self.findings {
            if subject != Some(finding.subject) {
                let gap = if subject.is_some() { "\n" } else { "" };
                let _ = writeln!(text, "{gap}{}", finding.subject.title());
                subject = Some(finding.subject);
            }
            let _ = writeln!(text, "  {} {}", mark(finding.mark, is_coloured), finding.what);
            for (label, line) in [("why: ", &finding.why), ("mend:", &finding.mend)] {
                if !line.is_empty() {
                    let _ = writeln!(text, "           {label} {line}");
                }
            }
        }
        let counted = [(Mark::Problem, "problems"), (Mark::Warning, "warnings"), (Mark::Skipped, "skipped")];
        let counted = counted.map(|(mark, name)| format!("{name}: {}", self.count(mark)));
        let _ = writeln!(text, "\n{}", counted.join(", "));
        text
    }

    /// For scripts.
    pub(super) fn json(&self) -> Value {
        json!({
            "problems": self.count(Mark::Problem),
            "warnings": self.count(Mark::Warning),
            "skipped": self.count(Mark::Skipped),
            "findings": self.findings,
        })
    }
}

fn mark(mark: Mark, is_coloured: bool) -> String {
    let (word, colour) = match mark {
        Mark::Ok => ("ok", 32),
        Mark::Note => ("note", 36),
        Mark::Skipped => ("skipped", 36),
        Mark::Warning => ("warning", 33),
        Mark::Problem => ("PROBLEM", 31),
    };
    if is_coloured { format!("\x1b[{colour}m{word:<8}\x1b[0m") } else { format!("{word:<8}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Subject;

    fn report() -> Report {
        Report::new(vec![
            Finding::problem(Subject::Redis, "it is away", "claims fail", "start it"),
            Finding::ok(Subject::Broker, "version 3.10.8"),
            Finding::ok(Subject::Redis, "its clock is right"),
        ])
    }

    #[test]
    fn findings_are_grouped_by_subject_and_marked() {
        let expected = "RabbitMQ\n  ok       version 3.10.8\n\nRedis\n  PROBLEM  it is away\n           \
                        why:  claims fail\n           mend: start it\n  ok       its clock is right\n\n\
                        problems: 1, warnings: 0, skipped: 0\n";
        assert_eq!(report().text(false), expected);
        assert!(report().text(true).contains("\x1b[31mPROBLEM \x1b[0m"));
    }

    #[test]
    fn scripts_get_the_same_findings() {
        let json = report().json();
        assert_eq!(json["problems"], 1);
        assert_eq!(json["findings"][1]["mark"], "problem");
        assert_eq!(json["findings"][1]["subject"], "redis");
        assert_eq!(json["findings"][1]["mend"], "start it");
    }
}
