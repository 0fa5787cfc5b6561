//! What a program lets people choose, through environment variables.

use std::ops::RangeInclusive;

use anyhow::{Context as _, Result, ensure};

/// Reads a number from the environment.
///
/// # Errors
/// When it is no number, or out of bounds; the variable is named.
pub fn number(name: &str, default: usize, range: RangeInclusive<usize>) -> Result<usize> {
    let Some(text) = std::env::var_os(name) else { return Ok(default) };
    let text = text.to_string_lossy();
    let number: usize = text.parse().with_context(|| format!("{name} is `{text}`, which is no number"))?;
    ensure!(range.contains(&number), "{name} is {number}; it may be {} to {}", range.start(), range.end());
    Ok(number)
}
