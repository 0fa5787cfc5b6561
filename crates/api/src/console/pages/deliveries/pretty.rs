//! JSON with its lines apart, and otherwise as it is: every name, number and text keeps its letters and its place.

/// Deeper nesting is moved no further to the right.
const INDENT_MAX: usize = 16;

/// Puts each member on a line of its own.
///
/// * `json`: valid JSON; of anything else some text comes back, and no harm is done.
/// * `bytes_max`: most bytes of the result.
/// * returns `None` when it would be longer.
pub(super) fn pretty(json: &str, bytes_max: usize) -> Option<String> {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    let mut letters = json.char_indices().peekable();
    while let Some((_, letter)) = letters.next() {
        if bytes_max < text.len() {
            return None;
        }
        if is_text {
            text.push(letter);
            is_text = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
            continue;
        }
        match letter {
            ' ' | '\t' | '\n' | '\r' => {}
            '{' | '[' => {
                text.push(letter);
                while letters.next_if(|(_, next)| next.is_ascii_whitespace()).is_some() {}
                if let Some((_, end)) = letters.next_if(|(_, next)| matches!(next, '}' | ']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    break_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut text, depth);
                text.push(letter);
            }
            ',' => {
                text.push(letter);
                break_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => {
                is_text = letter == '"';
                text.push(letter);
            }
        }
    }
    (text.len() <= bytes_max).then_some(text)
}

fn break_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth.min(INDENT_MAX)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn numbers_texts_and_order_stay_as_they_are() {
        let json = r#"{"z":112.50,"a":{"b":[],"c":{ }, "d":[1e400,"x\"{,:\\"]},"ü":"Zo\u00eb ë"}"#;
        let shown = pretty(json, 1_000).expect("short");
        assert_eq!(
            shown,
            "{\n  \"z\": 112.50,\n  \"a\": {\n    \"b\": [],\n    \"c\": {},\n    \"d\": [\n      1e400,\n      \"x\\\"{,:\\\\\"\n    ]\n  },\n  \"ü\": \"Zo\\u00eb ë\"\n}"
        );
    }

    #[test]
    fn nothing_grows_without_bound() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(pretty(&deep, 50_000), None);
        assert!(pretty(&deep, 1_000_000).is_some());
        let wide = format!("[{}1]", "1,".repeat(10_000));
        assert_eq!(pretty(&wide, 20_000), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_means_the_same(text in ".{0,40}", number in any::<i64>()) {
            let value = serde_json::json!({ "a": [text.clone(), { text: number }, [], {}] });
            let shown = pretty(&value.to_string(), 10_000).expect("short");
            prop_assert_eq!(serde_json::from_str::<Value>(&shown).expect("JSON"), value);
        }

        #[test]
        fn whatever_is_given_does_no_harm(text in "\\PC{0,60}") {
            let _ = pretty(&text, 1_000);
        }
    }
}
