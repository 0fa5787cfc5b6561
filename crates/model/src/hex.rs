//! Lower-case hexadecimal, for ids that travel as text.

use std::fmt::Write as _;

/// Renders bytes as lower-case hexadecimal, two digits each.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
    }
    text
}
