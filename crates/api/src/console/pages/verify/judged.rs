//! Says whether a request was signed with a secret, and if not, which part is not as it was.

use bellhop_model::verify;
use serde_json::Value;

use super::pasted::Pasted;

/// How old a request may be for a receiver that keeps to Standard Webhooks.
const TOLERANCE_SECONDS: u64 = 5 * 60;

/// What is told of a request.
#[derive(Debug)]
pub(super) struct Judged {
    /// Whether one of its signatures holds for the body as it was pasted, line ends aside.
    pub(super) holds: bool,
    /// The same in words, with what is wrong.
    pub(super) headline: &'static str,
    /// What to do about it.
    pub(super) advice: &'static str,
    /// Each part of what is signed.
    pub(super) parts: Vec<Part>,
}

/// One part of what is signed.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) soundness: Soundness,
    pub(super) text: String,
}

/// What is known of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Soundness {
    /// It is as it was signed.
    Sound,
    /// It is well formed; whether it is as it was signed cannot be told.
    Unknown,
    /// It is as it was signed, and a receiver may refuse it all the same.
    Doubtful,
    /// It is not as it was signed.
    Wrong,
}

/// What has to be done to the pasted body so that a signature holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Nothing, line ends aside: a browser sends those of a form in its own way.
    Nothing,
    /// Blanks at its ends go.
    Trimmed,
    /// Blanks between its tokens go.
    Compacted,
    /// The outermost object comes back.
    Wrapped,
}

impl Judged {
    /// Judges a request.
    ///
    /// * `now`: unix seconds.
    pub(super) fn of(pasted: &Pasted, now: i64) -> Self {
        let found = variants(&pasted.body)
            .into_iter()
            .find_map(|(change, body)| Some((change, matching(pasted, &body)?)));
        let change = found.map(|(change, _)| change);
        let (headline, advice) = words(change, &pasted.body);
        let is_known = if found.is_some() { Soundness::Sound } else { Soundness::Unknown };
        let parts = vec![
            part("Secret", is_known, if found.is_some() { "matches" } else { "well formed" }.to_owned()),
            part("webhook-id", is_known, pasted.id.to_string()),
            timestamp(pasted.timestamp, now, is_known),
            part("webhook-signature", is_known, signatures(pasted, found.map(|(_, place)| place))),
            body(&pasted.body, change),
        ];
        let holds = matches!(change, Some(Change::Nothing | Change::Trimmed));
        Self { holds, headline, advice, parts }
    }
}

/// Which of the signatures holds for a body, if any.
fn matching(pasted: &Pasted, body: &str) -> Option<usize> {
    let holds = |signature: &String| {
        verify(&pasted.secret, pasted.id.as_str(), pasted.timestamp, body.as_bytes(), signature).is_ok()
    };
    pasted.signatures.iter().position(holds)
}

/// The body as it may have been before it was pasted, the likeliest first.
fn variants(body: &str) -> Vec<(Change, String)> {
    let lines = body.replace("\r\n", "\n");
    let trimmed = lines.trim().to_owned();
    let compact = compact(&trimmed);
    let wrapped = |inner: &str| (Change::Wrapped, format!("{{\"data\":{inner}}}"));
    let wrappings = [wrapped(&trimmed), wrapped(&compact)];
    let mut variants = vec![(Change::Nothing, body.to_owned()), (Change::Nothing, lines)];
    variants.extend([(Change::Trimmed, trimmed), (Change::Compacted, compact)]);
    variants.extend(wrappings);
    variants
}

/// Takes the blanks between the tokens of JSON away and leaves everything else as it is, number text included.
fn compact(json: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    json.chars()
        .filter(|&c| {
            let was_text = is_text;
            if is_text {
                is_text = is_escaped || c != '"';
                is_escaped = !is_escaped && c == '\\';
            } else {
                is_text = c == '"';
            }
            was_text || !c.is_ascii_whitespace()
        })
        .collect()
}

fn words(change: Option<Change>, body: &str) -> (&'static str, &'static str) {
    match change {
        Some(Change::Nothing | Change::Trimmed) => (
            "The signature holds",
            "Bellhop signed this request with this secret. If your receiver refuses it, the fault is in the receiver.",
        ),
        Some(Change::Compacted) => (
            "The signature does not hold: the body was formatted anew",
            "It holds for the same JSON without the blanks between its parts. Verify the bytes as they came, before anything parses them.",
        ),
        Some(Change::Wrapped) => (
            "The signature does not hold: the body is not whole",
            "It holds once `{\"data\":…}` is put around it. Verify the bytes as they came, and unwrap afterwards.",
        ),
        None if serde_json::from_str::<Value>(body).is_err() => (
            "The signature does not hold: the body is not what was sent",
            "It is no JSON, so some of it was cut off or changed. Copy the bytes as they came.",
        ),
        None if !is_wrapped(body) => (
            "The signature does not hold: the body is not what was sent",
            "Each body is an object with `data` and nothing else. Copy the bytes as they came.",
        ),
        None => (
            "The signature does not hold",
            "Each part is well formed, but they do not belong together: either the secret is another webhook's, or of the other mode, or one that was rotated away; or id, timestamp, signature and body are not all of the same request; or the body was changed on its way.",
        ),
    }
}

fn is_wrapped(body: &str) -> bool {
    let Ok(Value::Object(object)) = serde_json::from_str(body) else { return false };
    object.len() == 1 && object.get("data").is_some_and(Value::is_object)
}

fn part(name: &'static str, soundness: Soundness, text: String) -> Part {
    Part { name, soundness, text }
}

/// A time in the greatest unit of which there are two.
fn distance(seconds: u64) -> String {
    let units = [("days", 86_400), ("hours", 3_600), ("minutes", 60)];
    let unit = units.into_iter().find(|(_, length)| 2 * length <= seconds);
    unit.map_or_else(|| format!("{seconds} seconds"), |(name, length)| format!("{} {name}", seconds / length))
}

fn timestamp(timestamp: i64, now: i64, is_known: Soundness) -> Part {
    let age = now.abs_diff(timestamp);
    let distance = distance(age);
    let (soundness, text) = match (age <= TOLERANCE_SECONDS, timestamp <= now) {
        (true, true) => (is_known, format!("{timestamp}, {distance} ago")),
        (true, false) => (is_known, format!("{timestamp}, {distance} ahead of our clock")),
        (false, true) => (
            Soundness::Doubtful,
            format!("{timestamp}, {distance} ago: now a receiver would refuse it as too old"),
        ),
        (false, false) => (
            Soundness::Doubtful,
            format!("{timestamp}, {distance} ahead of our clock: a receiver would refuse it"),
        ),
    };
    part("webhook-timestamp", soundness, text)
}

fn signatures(pasted: &Pasted, place: Option<usize>) -> String {
    match (pasted.signatures.len(), place) {
        (1, Some(_)) => "matches".to_owned(),
        (1, None) => "well formed; does not match".to_owned(),
        (count, Some(place)) => format!("number {} of {count} matches", place + 1),
        (count, None) => format!("{count}, well formed; none matches"),
    }
}

fn body(body: &str, change: Option<Change>) -> Part {
    let bytes = body.replace("\r\n", "\n").len();
    let (soundness, text) = match change {
        Some(Change::Nothing) => (Soundness::Sound, format!("{bytes} bytes")),
        Some(Change::Trimmed) => (
            Soundness::Sound,
            "without the blanks at its beginning or end, which came with the paste".to_owned(),
        ),
        Some(Change::Compacted) => (Soundness::Wrong, "formatted anew".to_owned()),
        Some(Change::Wrapped) => (Soundness::Wrong, "the outermost object is missing".to_owned()),
        None if is_wrapped(body) => (Soundness::Unknown, format!("{bytes} bytes, well formed")),
        None => (Soundness::Wrong, format!("{bytes} bytes, not as Bellhop sends them")),
    };
    part("Body", soundness, text)
}

#[cfg(test)]
mod tests {
    use bellhop_model::{Secret, Signer, SigningSecret};
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_732_600_000;
    const BODY: &str = "{\"data\":{\"id\":\"apt_1\",\"note\":\"a \\\" b\\\\\",\"sys\":112.50,\n\"n\":1E+2}}";

    fn judge(signed: &str, pasted: &str, timestamp: i64) -> Judged {
        let secret = Secret::from_random(&[7; 32]);
        judge_as(&[secret.clone().into()], &secret, (signed, pasted), timestamp)
    }

    fn judge_as(
        signing: &[SigningSecret],
        secret: &Secret,
        (signed, pasted): (&str, &str),
        timestamp: i64,
    ) -> Judged {
        let id = "evt_1".parse().expect("an id");
        let signature = Signer::new(signing).sign(&id, timestamp, signed.as_bytes());
        let headers = format!(
            "webhook-id: evt_1\nwebhook-timestamp: {timestamp}\nwebhook-signature: {}",
            signature.as_str()
        );
        Judged::of(&Pasted::read(&secret.expose(), &headers, pasted).expect("it is readable"), NOW)
    }

    fn soundness(judged: &Judged, name: &str) -> Soundness {
        judged.parts.iter().find(|part| part.name == name).expect("the part is told").soundness
    }

    #[test]
    fn a_distance_is_told_in_a_unit_that_people_count() {
        let told = [0, 119, 120, 7_199, 7_200, 172_800, 181_411_000].map(distance);
        let expected =
            ["0 seconds", "119 seconds", "2 minutes", "119 minutes", "2 hours", "2 days", "2099 days"];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_was_signed_holds_whatever_a_form_does_to_its_line_ends() {
        let through_a_form = BODY.replace('\n', "\r\n");
        for pasted in [BODY.to_owned(), through_a_form.clone(), format!("{through_a_form}\r\n")] {
            let judged = judge(BODY, &pasted, NOW);
            assert!(judged.holds, "{judged:?}");
            assert!(judged.parts.iter().all(|part| part.soundness == Soundness::Sound), "{judged:?}");
        }
    }

    #[test]
    fn a_body_that_was_formatted_anew_or_unwrapped_is_told_as_that() {
        let sent = r#"{"data":{"id":"apt_1","note":"a \" b\\","sys":112.50}}"#;
        for (pasted, expected) in [
            (
                "{\n  \"data\": {\"id\": \"apt_1\", \"note\": \"a \\\" b\\\\\", \"sys\": 112.50}\r\n}",
                "formatted anew",
            ),
            ("{\"id\": \"apt_1\", \"note\": \"a \\\" b\\\\\", \"sys\": 112.50}", "not whole"),
            (r#"{"id":"apt_1","note":"a \" b\\","sys":112.50}"#, "not whole"),
            (&sent[..20], "not what was sent"),
            (r#"{"id":"apt_1"}"#, "not what was sent"),
        ] {
            let judged = judge(sent, pasted, NOW);
            assert!(!judged.holds && judged.headline.contains(expected), "{pasted}: {judged:?}");
            assert_eq!(soundness(&judged, "Body"), Soundness::Wrong, "{pasted}");
        }
    }

    #[test]
    fn parts_that_do_not_belong_together_are_not_accused_one_by_one() {
        let (ours, other) = (Secret::from_random(&[7; 32]), Secret::from_random(&[8; 32]));
        let sent = r#"{"data":{"id":"apt_1"}}"#;
        for judged in [
            judge_as(&[ours.into()], &other, (sent, sent), NOW),
            judge(sent, r#"{"data":{"id":"apt_2"}}"#, NOW),
        ] {
            assert!(!judged.holds, "{judged:?}");
            assert!(judged.parts.iter().all(|part| part.soundness == Soundness::Unknown), "{judged:?}");
        }
    }

    #[test]
    fn while_a_secret_is_rotated_the_signature_that_matches_is_named() {
        let (old, new) = (Secret::from_random(&[7; 32]), Secret::from_random(&[8; 32]));
        let judged = judge_as(&[new.into(), old.clone().into()], &old, (BODY, BODY), NOW);
        assert!(judged.holds && judged.parts[3].text == "number 2 of 2 matches", "{judged:?}");
    }

    #[test]
    fn a_request_that_is_too_old_holds_and_is_told_to_be_refused() {
        for (timestamp, expected) in [
            (NOW - 300, Soundness::Sound),
            (NOW + 300, Soundness::Sound),
            (NOW - 301, Soundness::Doubtful),
            (NOW + 301, Soundness::Doubtful),
            (i64::MAX, Soundness::Doubtful),
        ] {
            let judged = judge(BODY, BODY, timestamp);
            assert!(judged.holds, "{judged:?}");
            assert_eq!(soundness(&judged, "webhook-timestamp"), expected, "{timestamp}");
        }
    }

    proptest! {
        #[test]
        fn compact_json_is_the_same_json(text: String, number: i64) {
            let value = serde_json::json!({ "data": { &text: [text, number], "b": null } });
            let pretty = serde_json::to_string_pretty(&value).expect("it is JSON");
            prop_assert_eq!(compact(&pretty), value.to_string());
        }
    }
}
