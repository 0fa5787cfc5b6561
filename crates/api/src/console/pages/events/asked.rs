//! What the form of the list says.

use bellhop_model::WebhookId;
use bellhop_store::DeliveryFilter;
use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use url::form_urlencoded;

use crate::answer::moment;
use crate::console::picker::utc;
use crate::problem::FieldProblem;
use crate::sought::Sought;

/// The times that can be chosen without saying when: the word, what it is called, and how long.
pub(super) const SPANS: [(&str, &str, Duration); 4] = [
    ("1h", "Last hour", Duration::HOUR),
    ("24h", "Last 24 hours", Duration::DAY),
    ("7d", "Last 7 days", Duration::days(7)),
    ("30d", "Last 30 days", Duration::days(30)),
];

/// The form as it was filled in. What is empty says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub(super) state: String,
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) appointment: String,
    pub(super) status: String,
    /// One of [`SPANS`]; what `since` and `until` say goes before.
    pub(super) within: String,
    pub(super) since: String,
    pub(super) until: String,
    /// Where the page begins.
    pub(super) cursor: String,
}

impl Asked {
    /// Which deliveries are asked for.
    ///
    /// # Errors
    /// What is wrong with each field.
    pub(super) fn read(
        &self,
        webhook: &WebhookId,
        now: OffsetDateTime,
    ) -> Result<DeliveryFilter, Vec<FieldProblem>> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let span = SPANS.iter().find(|(word, ..)| *word == self.within);
        let is_exact = !self.since.is_empty() || !self.until.is_empty();
        let begin = span.filter(|_| !is_exact).map(|(.., length)| moment(now - *length));
        let sought = Sought {
            state: given(&self.state),
            event_type: given(&self.event_type),
            appointment: given(&self.appointment),
            status: given(&self.status).map(|status| status.to_ascii_lowercase()),
            since: given(&self.since).map(|text| utc(&text)).or(begin),
            until: given(&self.until).map(|text| utc(&text)),
        };
        if !self.within.is_empty() && span.is_none() {
            return Err(vec![FieldProblem::new("within", "must be one of those to choose from")]);
        }
        sought.read(webhook)
    }

    /// What narrows the list: the name of each field that says something, what it is called, and what it says.
    pub(super) fn narrowing(&self) -> Vec<(&'static str, &'static str, String)> {
        let is_exact = !self.since.is_empty() || !self.until.is_empty();
        let span = SPANS.iter().find(|(word, ..)| *word == self.within && !is_exact);
        let fields = [
            ("state", "State", self.state.clone()),
            ("type", "Event type", self.event_type.clone()),
            ("appointment", "Appointment", self.appointment.clone()),
            ("status", "Status", self.status.clone()),
            ("within", "Time", span.map_or(String::new(), |(_, name, _)| (*name).to_owned())),
            ("since", "From", self.since.clone()),
            ("until", "To", self.until.clone()),
        ];
        fields.into_iter().filter(|(.., value)| !value.trim().is_empty()).collect()
    }

    /// The list's path with what is asked for.
    ///
    /// * `except`: the name of a field that is left out; none if empty.
    /// * `cursor`: where the page begins; where the list does if empty.
    pub(super) fn path(&self, list: &str, except: &str, cursor: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("state", &*self.state),
            ("type", &self.event_type),
            ("appointment", &self.appointment),
            ("status", &self.status),
            ("within", &self.within),
            ("since", &self.since),
            ("until", &self.until),
            ("cursor", cursor),
        ] {
            if !value.is_empty() && name != except {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { list.to_owned() } else { format!("{list}?{query}") }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-26 08:00 UTC);

    fn read(asked: &Asked) -> Result<DeliveryFilter, Vec<FieldProblem>> {
        asked.read(&WebhookId::from_uuid(&[7; 16]), NOW)
    }

    #[test]
    fn an_empty_form_asks_for_everything() {
        let asked = Asked { appointment: " ".into(), ..Asked::default() };
        let filter = read(&asked).expect("nothing is wrong");
        assert!(filter.state.is_none() && filter.appointment.is_none() && filter.since.is_none());
        assert!(Asked::default().narrowing().is_empty());
        assert_eq!(Asked::default().path("/list", "", ""), "/list");
    }

    #[test]
    fn an_exact_time_goes_before_a_span() {
        let spanned = Asked { within: "24h".into(), ..Asked::default() };
        assert_eq!(read(&spanned).expect("a span").since, Some(datetime!(2026-11-25 08:00 UTC)));
        let exact = Asked { since: "2026-11-23T07:30".into(), ..spanned };
        assert_eq!(read(&exact).expect("exact").since, Some(datetime!(2026-11-23 07:30 UTC)));
        assert_eq!(exact.narrowing().len(), 1);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_field() {
        for (asked, field) in [
            (Asked { state: "lost".into(), ..Asked::default() }, "state"),
            (Asked { status: "no".into(), ..Asked::default() }, "status"),
            (Asked { since: "today".into(), ..Asked::default() }, "since"),
            (Asked { within: "1y".into(), ..Asked::default() }, "within"),
        ] {
            let errors = read(&asked).expect_err(field);
            assert_eq!(serde_json::to_value(&errors).expect("JSON")[0]["field"], field);
        }
        assert!(read(&Asked { status: "5XX".into(), ..Asked::default() }).is_ok(), "as it is written, too");
    }

    #[test]
    fn a_path_says_what_is_asked_for_and_can_leave_a_part_out() {
        let asked = Asked { state: "exhausted".into(), appointment: "a&b=\"".into(), ..Asked::default() };
        assert_eq!(asked.path("/list", "", "x"), "/list?state=exhausted&appointment=a%26b%3D%22&cursor=x");
        assert_eq!(asked.path("/list", "appointment", ""), "/list?state=exhausted");
    }
}
