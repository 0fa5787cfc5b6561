//! Charts as pictures in the page. They have no script and no style of their own: what they look like is said by class in
//! the stylesheet, and what they tell stands beside them in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bellhop_store::{RatePoint, RateSpan};
use maud::{Markup, html};
use time::OffsetDateTime;

use super::moment::{exact, moment};
use super::number::count;

/// How wide a step is drawn, and how high the greatest value, in units of the picture.
const WIDTH: usize = 10;
const HEIGHT: f64 = 100.0;

/// Steps of equal length, each with what is known of it.
#[derive(Debug)]
pub(crate) struct Steps<'a>(Vec<(OffsetDateTime, Option<&'a RatePoint>)>);

/// Requests of some time, in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Requests that were made.
    pub(crate) made: u64,
    /// How many of them the endpoint took.
    pub(crate) taken: u64,
}

impl Sum {
    /// The sum of some points.
    pub(crate) fn of(points: &[RatePoint]) -> Self {
        let add = |sum: Self, point: &RatePoint| Self {
            made: sum.made + point.made,
            taken: sum.taken + point.taken,
        };
        points.iter().fold(Self::default(), add)
    }

    /// The share that was taken, in words; a failure among many successes is not rounded away.
    pub(crate) fn rate(self) -> String {
        if self.made == 0 {
            return "–".to_owned();
        }
        if self.made == self.taken {
            return "100 %".to_owned();
        }
        let permille = u128::from(self.taken) * 1_000 / u128::from(self.made);
        format!("{}.{} %", permille / 10, permille % 10)
    }
}

impl<'a> Steps<'a> {
    /// Every step of a span, with or without a point.
    pub(crate) fn of(span: RateSpan, points: &'a [RatePoint]) -> Self {
        let step = i64::try_from(span.step.as_secs()).unwrap_or(i64::MAX).max(1);
        let known: BTreeMap<i64, &RatePoint> =
            points.iter().map(|point| (point.begins_at.unix_timestamp(), point)).collect();
        let first = span.since.unix_timestamp().div_euclid(step) * step;
        let last = span.until.unix_timestamp();
        let begins = (0..).map(|index| first + index * step).take_while(|begins| *begins < last);
        let at = |begins| OffsetDateTime::from_unix_timestamp(begins).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self(begins.map(|begins| (at(begins), known.get(&begins).copied())).collect())
    }

    /// The steps in which anything was asked of the endpoint.
    pub(crate) fn known(&self) -> impl Iterator<Item = &'a RatePoint> {
        self.0.iter().filter_map(|(_, point)| *point)
    }

    fn view_box(&self) -> String {
        format!("0 0 {} {HEIGHT}", self.0.len() * WIDTH)
    }
}

/// A success rate over time, small: each step as high as another, and red where it failed.
pub(crate) fn sparkline(steps: &Steps<'_>, sum: Sum) -> Markup {
    let told = if sum.made == 0 {
        "No requests in the last 24 hours".to_owned()
    } else {
        format!("{} of {} requests in the last 24 hours were taken", sum.rate(), count(sum.made))
    };
    html! {
        div.sparkline {
            svg role="img" aria-label=(told) viewBox=(steps.view_box()) preserveAspectRatio="none" {
                title { (told) }
                @for (tone, path) in spark_paths(steps) {
                    @if !path.is_empty() { path class=(tone) d=(path) {} }
                }
            }
            span { (sum.rate()) }
        }
    }
}

/// The bars of a sparkline, all of one colour in one path: a page lists many webhooks, and each has dozens of bars.
///
/// * returns for each class what is drawn in its colour.
fn spark_paths(steps: &Steps<'_>) -> [(&'static str, String); 3] {
    let [mut none, mut good, mut bad] = [const { String::new() }; 3];
    for (index, (_, point)) in steps.0.iter().enumerate() {
        let draw = |path: &mut String, y: f64, height: f64| {
            let (x, width) = (index * WIDTH + 1, WIDTH - 2);
            write!(path, "M{x} {y}h{width}v{height}h-{width}z").expect("a string takes all");
        };
        let Some(point) = point else {
            draw(&mut none, 46.0, 8.0);
            continue;
        };
        let height = (HEIGHT * point.success_rate()).floor();
        if height < HEIGHT {
            draw(&mut bad, 0.0, HEIGHT - height);
        }
        if 0.0 < height {
            draw(&mut good, HEIGHT - height, height);
        }
    }
    [("bar none", none), ("bar good", good), ("bar bad", bad)]
}

/// Requests over time: what the endpoint took, and what it did not.
pub(crate) fn requests_chart(steps: &Steps<'_>, now: OffsetDateTime) -> Markup {
    let most = steps.known().map(|point| point.made).max().unwrap_or_default().max(1);
    let height = |count: u64| HEIGHT * exact_count(count) / exact_count(most);
    let picture = html! {
        svg role="img" aria-label="Requests over time; the numbers are below" viewBox=(steps.view_box()) preserveAspectRatio="none" {
            @for (index, (begins_at, point)) in steps.0.iter().enumerate() {
                @let (made, taken) = point.map_or((0, 0), |point| (point.made, point.taken));
                @let (good, all) = (height(taken), height(made));
                g {
                    title { (exact(*begins_at)) ": " (count(taken)) " taken, " (count(made - taken)) " failed" }
                    rect.slot x=(index * WIDTH) y="0" width=(WIDTH) height=(HEIGHT) {}
                    @if 0 < taken { (bar("good", index, good, HEIGHT - good)) }
                    @if taken < made { (bar("bad", index, all - good, HEIGHT - all)) }
                }
            }
        }
    };
    let keys = html! { span.key { "Taken" } span.key.bad { "Failed" } };
    chart("Requests", &keys, &count(most), &picture, &times(steps, now))
}

/// How long requests took, over time.
pub(crate) fn latency_chart(steps: &Steps<'_>, now: OffsetDateTime) -> Markup {
    let of = |share: f64| move |point: &RatePoint| point.latency_ms(share);
    let most = steps.known().filter_map(of(0.95)).fold(1.0, f64::max);
    let picture = html! {
        svg role="img" aria-label="How long requests took over time; the numbers are below" viewBox=(steps.view_box()) preserveAspectRatio="none" {
            path.line.high d=(line(steps, most, of(0.95))) {}
            path.line d=(line(steps, most, of(0.5))) {}
            @for (index, (begins_at, point)) in steps.0.iter().enumerate() {
                @let half = point.and_then(of(0.5)).map_or_else(|| "–".to_owned(), duration);
                @let high = point.and_then(of(0.95)).map_or_else(|| "–".to_owned(), duration);
                g {
                    title { (exact(*begins_at)) ": half within " (half) ", 95 of 100 within " (high) }
                    rect.slot x=(index * WIDTH) y="0" width=(WIDTH) height=(HEIGHT) {}
                }
            }
        }
    };
    let keys = html! { span.key.line { "Half within" } span.key.high { "95 of 100 within" } };
    chart("Time to answer", &keys, &duration(most), &picture, &times(steps, now))
}

/// The same as the charts, in numbers.
pub(crate) fn numbers(steps: &Steps<'_>) -> Markup {
    let shown = |latency: Option<f64>| latency.map_or_else(|| "–".to_owned(), duration);
    html! {
        details.numbers {
            summary { "Show the numbers" }
            div tabindex="0" role="region" aria-label="The numbers" {
                table.numbers {
                    thead { tr {
                        th scope="col" { "From" } th scope="col" { "Taken" } th scope="col" { "Failed" }
                        th scope="col" { "Half within" } th scope="col" { "95 of 100" }
                    } }
                    tbody {
                        @for point in steps.known() {
                            tr {
                                th scope="row" { (exact(point.begins_at)) }
                                td { (count(point.taken)) }
                                td { (count(point.made - point.taken)) }
                                td { (shown(point.latency_ms(0.5))) }
                                td { (shown(point.latency_ms(0.95))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A time in milliseconds as people read it.
pub(crate) fn duration(ms: f64) -> String {
    if ms < 999.5 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1_000.0) }
}

fn bar(tone: &str, index: usize, height: f64, y: f64) -> Markup {
    html! {
        rect class=(format!("bar {tone}")) x=(index * WIDTH + 1) y=(format!("{y:.1}")) width=(WIDTH - 2)
            height=(format!("{height:.1}")) {}
    }
}

/// A line of steps, broken where nothing is known.
fn line(steps: &Steps<'_>, most: f64, value: impl Fn(&RatePoint) -> Option<f64>) -> String {
    let mut path = String::new();
    let mut is_open = false;
    for (index, (_, point)) in steps.0.iter().enumerate() {
        let value = point.and_then(&value);
        if let Some(value) = value {
            let y = HEIGHT - (HEIGHT - 2.0) * value.min(most) / most;
            let (from, to) = (index * WIDTH, (index + 1) * WIDTH);
            let moved = if is_open { format!("V{y:.1}") } else { format!("M{from} {y:.1}") };
            write!(path, "{moved}H{to}").expect("a string takes all");
        }
        is_open = value.is_some();
    }
    path
}

fn times(steps: &Steps<'_>, now: OffsetDateTime) -> Markup {
    let first = steps.0.first().map_or(now, |(begins_at, _)| *begins_at);
    html! { (moment(first, now)) span { "now" } }
}

fn chart(name: &str, keys: &Markup, most: &str, picture: &Markup, times: &Markup) -> Markup {
    html! {
        figure.chart {
            figcaption { strong { (name) } (keys) }
            div.scale aria-hidden="true" { span { (most) } span { "0" } }
            (picture)
            div.times { (times) }
        }
    }
}

/// Counts of this aeon lose nothing.
const fn exact_count(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::macros::datetime;

    use super::*;

    #[test]
    fn every_step_of_a_span_is_there() {
        let until = datetime!(2026-11-26 08:10 UTC);
        let span =
            RateSpan { since: datetime!(2026-11-25 08:10 UTC), until, step: Duration::from_secs(3600) };
        let steps = Steps::of(span, &[]);
        assert_eq!(steps.0.len(), 25);
        assert_eq!(steps.0[0].0, datetime!(2026-11-25 08:00 UTC));
        assert_eq!(steps.known().count(), 0);
        assert_eq!(line(&steps, 1.0, |_| None), "");
    }

    #[test]
    fn a_sparkline_draws_each_colour_once_however_many_steps() {
        let span = RateSpan {
            since: datetime!(2026-11-25 08:00 UTC),
            until: datetime!(2026-11-26 08:00 UTC),
            step: Duration::from_secs(1800),
        };
        let empty = Steps::of(span, &[]);
        let [(class, none), (_, good), (_, bad)] = spark_paths(&empty);
        assert_eq!((class, none.matches('M').count(), good.len(), bad.len()), ("bar none", 48, 0, 0));
        let drawn = sparkline(&empty, Sum::default()).into_string();
        assert_eq!((drawn.matches("<path").count(), drawn.matches("<rect").count()), (1, 0), "{drawn}");
    }

    #[test]
    fn one_failure_among_many_is_no_100_percent() {
        let rate = |made, taken| Sum { made, taken }.rate();
        assert_eq!(rate(0, 0), "–");
        assert_eq!(rate(7, 7), "100 %");
        assert_eq!(rate(1_000_000, 999_999), "99.9 %");
        assert_eq!(rate(3, 0), "0.0 %");
    }

    #[test]
    fn numbers_are_told_as_people_read_them() {
        assert_eq!([1, 1_000, 1_234_567].map(count), ["1", "1,000", "1,234,567"]);
        assert_eq!([0.4, 12.0, 999.6, 15_000.0].map(duration), ["0 ms", "12 ms", "1.0 s", "15.0 s"]);
    }
}
