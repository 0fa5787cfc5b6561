//! Whether the servers' clocks agree with ours.

use std::time::Duration;

use time::OffsetDateTime;

use crate::command::doctor::finding::{Finding, Subject};

/// From here on somebody should look.
const SKEW_WARNING: Duration = Duration::from_secs(1);

/// From here on signatures come near to what receivers refuse.
const SKEW_PROBLEM: Duration = Duration::from_secs(60);

/// How far a server's clock is ahead of ours, in seconds, and how much of that may be the way there and back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Skew {
    seconds: f64,
    uncertainty_seconds: f64,
}

impl Skew {
    /// Compares a server's clock with ours.
    ///
    /// * `told`: what the server said.
    /// * `asked_at`: our clock when it was asked; ours is read again now.
    pub(super) fn of(told: OffsetDateTime, asked_at: OffsetDateTime) -> Self {
        Self::between(told, asked_at, OffsetDateTime::now_utc())
    }

    /// The same for a clock that tells whole seconds, which it rounds down.
    pub(super) fn of_whole_seconds(told: OffsetDateTime, asked_at: OffsetDateTime) -> Self {
        let half_second = time::Duration::milliseconds(500);
        let Self { seconds, uncertainty_seconds } = Self::of(told + half_second, asked_at);
        Self { seconds, uncertainty_seconds: uncertainty_seconds + half_second.as_seconds_f64() }
    }

    fn between(told: OffsetDateTime, asked_at: OffsetDateTime, answered_at: OffsetDateTime) -> Self {
        let half_way: time::Duration = (answered_at - asked_at) / 2;
        let ahead: time::Duration = told - (asked_at + half_way);
        let seconds = ahead.as_seconds_f64();
        Self { seconds, uncertainty_seconds: half_way.as_seconds_f64().abs() }
    }

    /// How far the clocks are apart for certain.
    fn certain_seconds(self) -> f64 {
        (self.seconds.abs() - self.uncertainty_seconds).max(0.0)
    }
}

/// Judges a server's clock.
pub(super) fn judge(server: &str, skew: Skew) -> Finding {
    let certain_seconds = skew.certain_seconds();
    if certain_seconds <= SKEW_WARNING.as_secs_f64() {
        return Finding::ok(Subject::Clocks, format!("{server} agrees with our clock"));
    }
    let direction = if skew.seconds < 0.0 { "behind" } else { "ahead of" };
    let what = format!("{server} is {:.1} s {direction} our clock", skew.seconds.abs());
    let mend = "keep time with NTP on this machine and on the server's";
    if certain_seconds <= SKEW_PROBLEM.as_secs_f64() {
        let why = "logs of the two cannot be put in order, and whoever is wrong drifts on";
        Finding::warning(Subject::Clocks, what, why, mend)
    } else {
        let why = "if our clock is the wrong one, receivers refuse our signatures once it is 5 minutes off";
        Finding::problem(Subject::Clocks, what, why, mend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Mark;

    fn at(seconds: f64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::seconds_f64(1000.0 + seconds)
    }

    #[test]
    fn a_clock_is_judged_by_what_the_way_cannot_explain() {
        let cases = [
            (0.0, 0.0, Mark::Ok),
            (0.9, 0.0, Mark::Ok),
            (-1.1, 0.0, Mark::Warning),
            (1.4, 1.0, Mark::Ok),
            (61.0, 0.0, Mark::Problem),
            (-3600.0, 0.2, Mark::Problem),
            (30.0, 0.2, Mark::Warning),
        ];
        for (ahead, way, expected) in cases {
            let skew = Skew::between(at(ahead + way / 2.0), at(0.0), at(way));
            assert_eq!(judge("Redis", skew).mark, expected, "{ahead} s ahead, {way} s there and back");
        }
    }

    #[test]
    fn the_finding_says_who_is_ahead() {
        assert!(
            judge("Redis", Skew::between(at(90.0), at(0.0), at(0.0)))
                .what
                .contains("90.0 s ahead of our clock")
        );
        assert!(
            judge("Redis", Skew::between(at(-2.0), at(0.0), at(0.0))).what.contains("2.0 s behind our clock")
        );
    }
}
