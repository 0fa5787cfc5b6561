//! What is kept of an answer for people to look at: bounded, printable, without credentials.

use std::fmt;

use bellhop_model::limits::{
    ANSWER_EXCERPT_BYTES_MAX, ANSWER_HEADER_NAME_BYTES_MAX, ANSWER_HEADER_VALUE_BYTES_MAX, ANSWER_HEADERS_MAX,
};
use hyper::HeaderMap;
use hyper::header::HeaderName;

/// Parts of names of headers that may carry a credential, as in `x-api-key`, `set-cookie` and `proxy-authorization`.
/// Leaving out one too many costs a line of an excerpt; four bytes each, because every answer's names are searched.
const CREDENTIAL_MARKS: [&[u8; 4]; 9] =
    [b"-key", b"apik", b"auth", b"cook", b"cred", b"pass", b"secr", b"sess", b"toke"];

/// The beginning of an answer, fit to be shown: every text is UTF-8 on one line, without control characters.
///
/// It may repeat health data, so it is never logged; `Debug` tells sizes only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AnswerExcerpt {
    /// The first headers, at most [`ANSWER_HEADERS_MAX`], in the order they came in; none that looks like a credential.
    pub headers: Vec<AnswerHeader>,
    /// The first bytes of the body, neither decoded nor decompressed, at most [`ANSWER_EXCERPT_BYTES_MAX`], whole
    /// characters only.
    pub body: String,
    /// Whether the endpoint sent more of the body than is here.
    pub is_body_cut: bool,
}

/// One header of an answer. It may repeat health data; `Debug` tells its name only.
#[derive(Clone, PartialEq, Eq)]
pub struct AnswerHeader {
    /// Lower case, at most [`ANSWER_HEADER_NAME_BYTES_MAX`] bytes; a header with a longer name is left out.
    pub name: String,
    /// Cut to [`ANSWER_HEADER_VALUE_BYTES_MAX`] bytes.
    pub value: String,
}

impl fmt::Debug for AnswerExcerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerExcerpt")
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .field("is_body_cut", &self.is_body_cut)
            .finish()
    }
}

impl fmt::Debug for AnswerHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerHeader").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Keeps the first headers that may be shown.
pub(crate) fn keep_headers(headers: &HeaderMap) -> Vec<AnswerHeader> {
    let shown = headers.iter().filter(|(name, _)| may_be_shown(name)).take(ANSWER_HEADERS_MAX);
    shown
        .map(|(name, value)| AnswerHeader {
            name: name.as_str().to_owned(),
            value: printable(value.as_bytes(), ANSWER_HEADER_VALUE_BYTES_MAX).0,
        })
        .collect()
}

/// Makes text of a body's first bytes, and says whether some of it was left out.
pub(crate) fn keep_body(bytes: &[u8]) -> (String, bool) {
    printable(bytes, ANSWER_EXCERPT_BYTES_MAX)
}

fn may_be_shown(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    let is_mark = |part: &[u8]| CREDENTIAL_MARKS.iter().any(|mark| *mark == part);
    name.len() <= ANSWER_HEADER_NAME_BYTES_MAX && !name.windows(4).any(is_mark)
}

/// Reads bytes as UTF-8 on one line, up to `bytes_max` bytes of text; also whether there was more.
///
/// Nothing gets shorter on the way, so more than `bytes_max` bytes are always more than `bytes_max` bytes of text.
fn printable(bytes: &[u8], bytes_max: usize) -> (String, bool) {
    let plain = &bytes[..bytes.len().min(bytes_max)];
    if let Ok(text) = str::from_utf8(plain)
        && plain.iter().all(|byte| matches!(byte, b' '..=b'~'))
    {
        return (text.to_owned(), plain.len() < bytes.len());
    }
    let mut text = String::with_capacity(plain.len());
    for chunk in bytes.utf8_chunks() {
        let broken = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        for character in chunk.valid().chars().map(shown).chain(broken) {
            if bytes_max < text.len() + character.len_utf8() {
                return (text, true);
            }
            text.push(character);
        }
    }
    (text, false)
}

/// What is shown for a character: itself, unless it would steer a terminal or turn the text around.
fn shown(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            char::REPLACEMENT_CHARACTER
        }
        other if other.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
        let parse = |(name, value): &(&str, &[u8])| {
            (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_bytes(value).expect("a value"))
        };
        pairs.iter().map(parse).collect()
    }

    #[test]
    fn whatever_may_be_a_credential_is_left_out() {
        let dropped: [(&str, &[u8]); 11] = [
            ("set-cookie", b"session=1"),
            ("Set-Cookie2", b"session=1"),
            ("authorization", b"Bearer x"),
            ("proxy-authenticate", b"Basic"),
            ("www-authenticate", b"Basic"),
            ("x-api-key", b"x"),
            ("x-csrf-token", b"x"),
            ("x-client-secret", b"x"),
            ("x-auth", b"x"),
            ("apikey", b"x"),
            ("x-session-id", b"x"),
        ];
        assert_eq!(keep_headers(&headers(&dropped)), []);
        let kept = keep_headers(&headers(&[("Content-Type", b"text/plain"), ("x-request-id", b"7\xff")]));
        let expected = [("content-type", "text/plain"), ("x-request-id", "7\u{fffd}")];
        assert_eq!(kept.len(), 2);
        for (header, (name, value)) in kept.iter().zip(expected) {
            assert_eq!((header.name.as_str(), header.value.as_str()), (name, value));
        }
    }

    #[test]
    fn headers_are_bounded_in_number_and_length() {
        let mut many = HeaderMap::new();
        let longest = "n".repeat(ANSWER_HEADER_NAME_BYTES_MAX);
        let value = HeaderValue::from_str(&"v".repeat(ANSWER_HEADER_VALUE_BYTES_MAX + 1)).expect("a value");
        many.insert(HeaderName::try_from(format!("{longest}n")).expect("a name"), value.clone());
        many.insert(HeaderName::try_from(longest.clone()).expect("a name"), value);
        let first = keep_headers(&many).remove(0);
        assert_eq!((first.name, first.value.len()), (longest, ANSWER_HEADER_VALUE_BYTES_MAX));
        for number in 0..=ANSWER_HEADERS_MAX {
            many.append("x", HeaderValue::from(number));
        }
        assert_eq!(keep_headers(&many).len(), ANSWER_HEADERS_MAX);
    }

    #[test]
    fn a_body_is_made_printable_and_cut_between_characters() {
        let whole = "x".repeat(ANSWER_EXCERPT_BYTES_MAX);
        let before_the_edge = &whole[1..];
        let cases: [(Vec<u8>, &str, bool); 8] = [
            (Vec::new(), "", false),
            ("dosé ✓".into(), "dosé ✓", false),
            (b"a\r\nb\tc".to_vec(), "a  b c", false),
            (b"\0\x1b[31m\x7f\xc2\x9b".to_vec(), "\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}", false),
            ("evil\u{202e}txt\u{2029}".into(), "evil\u{fffd}txt\u{fffd}", false),
            (whole.clone().into(), &whole, false),
            (format!("{whole}y").into(), &whole, true),
            (format!("{before_the_edge}✓").into(), before_the_edge, true),
        ];
        for (body, text, is_cut) in cases {
            assert_eq!(keep_body(&body), (text.to_owned(), is_cut));
        }
        assert_eq!(keep_body(&[]).0.capacity(), 0, "an empty body allocates nothing");
    }

    #[test]
    fn debug_output_shows_neither_body_nor_value() {
        let header = AnswerHeader { name: "x-patient".to_owned(), value: "Ada".to_owned() };
        let excerpt = AnswerExcerpt { headers: vec![header], body: "Ada".to_owned(), is_body_cut: false };
        let shown = format!("{excerpt:?} {:?}", excerpt.headers);
        assert!(shown.contains("x-patient") && !shown.contains("Ada"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_short_printable_text(bytes: Vec<u8>, bytes_max in 0usize..64) {
            let (text, is_cut) = printable(&bytes, bytes_max);
            prop_assert!(text.len() <= bytes_max);
            prop_assert!(!text.contains(char::is_control));
            prop_assert!(is_cut || bytes.len() <= bytes_max);
            prop_assert!(is_cut || bytes.is_empty() == text.is_empty());
        }
    }
}
