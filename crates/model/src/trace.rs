//! Which of the platform's traces an event belongs to, so that a request there and an attempt here are found together.

use std::fmt;
use std::str::FromStr;

/// Bytes of a `traceparent` of version 00.
const BYTES: usize = 55;

/// A `traceparent` of W3C Trace Context: the trace, and the span in it that published the event.
///
/// It goes with the event from attempt to attempt and into log lines, and never to an endpoint: who receives a webhook is
/// no part of the platform's system, and what its own traces are called is its own business.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceParent([u8; BYTES]);

/// A text that is no `traceparent`. As its source asks, whoever reads one goes on as if there were none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a traceparent is `00-`, 32 hexadecimal digits of the trace, `-`, 16 of the span, `-`, 2 of flags, in lower case; \
     neither trace nor span is all zeros"
)]
pub struct TraceParentError;

impl TraceParent {
    /// The header's whole value, 55 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("it was made of digits and dashes")
    }

    /// The trace, 32 hexadecimal digits in lower case.
    #[must_use]
    pub fn trace(&self) -> &str {
        &self.as_str()[3..35]
    }

    /// The span that published the event, 16 hexadecimal digits in lower case.
    #[must_use]
    pub fn span(&self) -> &str {
        &self.as_str()[36..52]
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    /// Reads a header's value.
    ///
    /// * `text`: version 00, or a later one, of which what version 00 knows is kept.
    ///
    /// # Errors
    /// [`TraceParentError`] when nothing of it may be used.
    ///
    /// Source: W3C Trace Context, <https://www.w3.org/TR/trace-context/#traceparent-header>.
    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        let bytes = text.as_bytes();
        let (head, rest) = bytes.split_first_chunk::<BYTES>().ok_or(TraceParentError)?;
        let [version, trace, span, flags] = parts(head).ok_or(TraceParentError)?;
        let is_known = version == b"00";
        let is_whole = if is_known { rest.is_empty() } else { matches!(rest, [] | [b'-', ..]) };
        let is_void = |digits: &[u8]| digits.iter().all(|digit| *digit == b'0');
        if !is_whole || version == b"ff" || is_void(trace) || is_void(span) {
            return Err(TraceParentError);
        }
        let mut kept = *head;
        if !is_known {
            // Only the lowest flag, "sampled", means the same in every version.
            let is_sampled = matches!(flags[1], b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f');
            kept[..2].copy_from_slice(b"00");
            kept[BYTES - 2..].copy_from_slice(if is_sampled { b"01" } else { b"00" });
        }
        Ok(Self(kept))
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceParent({self})")
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Version, trace, span and flags, where all are digits in their places.
fn parts(head: &[u8; BYTES]) -> Option<[&[u8]; 4]> {
    let parts = [&head[..2], &head[3..35], &head[36..52], &head[53..]];
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let are_apart = [2, 35, 52].iter().all(|position| head[*position] == b'-');
    (are_apart && parts.iter().all(|part| part.iter().all(is_digit))).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn kept(text: &str) -> Option<String> {
        text.parse::<TraceParent>().ok().map(|parent| parent.to_string())
    }

    #[test]
    fn a_trace_parent_says_its_trace_and_its_span() {
        let text = format!("00-{TRACE}-{SPAN}-01");
        let parent: TraceParent = text.parse().expect("the example of its source");
        assert_eq!((parent.trace(), parent.span(), parent.as_str()), (TRACE, SPAN, text.as_str()));
    }

    #[test]
    fn of_a_later_version_what_the_first_knows_is_kept() {
        let ours = |flags| Some(format!("00-{TRACE}-{SPAN}-{flags}"));
        assert_eq!(kept(&format!("cc-{TRACE}-{SPAN}-ff")), ours("01"));
        assert_eq!(kept(&format!("cc-{TRACE}-{SPAN}-fe-what-comes-later")), ours("00"));
        assert_eq!(kept(&format!("cc-{TRACE}-{SPAN}-01.later")), None);
    }

    #[test]
    fn what_is_no_trace_parent_is_none() {
        let upper = TRACE.to_uppercase();
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            "00-1-2-01".to_owned(),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-0"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{upper}-{SPAN}-01"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-0\u{e9}"),
            format!("00-{}\u{e9}-{SPAN}-01", &TRACE[..30]),
        ] {
            assert_eq!(kept(&text), None, "{text:?}");
        }
    }
}
