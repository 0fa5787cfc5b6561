//! What no line may say.

use crate::{Source, ensure_none, sources};

#[test]
fn nothing_is_left_for_later() {
    // In halves, so that this file does not find itself.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["todo", "!("], ["unimplemented", "!("]]
        .map(|half| half.concat());
    let found = lines(|_| true, |line| marks.iter().any(|mark| has_word(line, mark)));
    ensure_none("what is not done is not promised in a comment", &found);
}

#[test]
fn no_test_is_ignored() {
    let attribute = ["#[", "ignore"].concat();
    let found = lines(|source| source.has_extension("rs"), |line| line.contains(&attribute));
    ensure_none("a test that is not run tests nothing", &found);
}

/// A test that sleeps is slow when it passes and fails when the machine is busy.
#[test]
fn tests_wait_on_signals() {
    let call = ["sle", "ep("].concat();
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.has_extension("rs")) {
        let lines: Vec<&str> = source.text.lines().collect();
        for number in test_lines(source, &lines) {
            let is_explained = number > 0 && lines[number - 1].trim_start().starts_with("// waits: ");
            if lines[number].contains(&call) && !is_explained {
                found.push(format!("{}:{}", source.path.display(), number + 1));
            }
        }
    }
    ensure_none("a test waits on a signal, or says why it cannot in a line `// waits: …` above", &found);
}

/// All lines of a file of tests; of others, those below `#[cfg(test)]`.
fn test_lines(source: &Source, lines: &[&str]) -> std::ops::Range<usize> {
    let is_all = source.path.starts_with("tests") || source.name() == "tests.rs";
    let below = lines.iter().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(lines.len());
    if is_all { 0..lines.len() } else { below..lines.len() }
}

fn lines(is_meant: impl Fn(&Source) -> bool, is_wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let sources = sources();
    let meant = sources.iter().filter(|source| source.name() != "Cargo.lock" && is_meant(source));
    let wrong = meant.flat_map(|source| {
        let lines = source.text.lines().enumerate().filter(|(_, line)| is_wrong(line));
        lines.map(|(number, line)| format!("{}:{}: {}", source.path.display(), number + 1, line.trim()))
    });
    wrong.collect()
}

/// Whether a line holds a mark that is no part of a longer word (a template for `mktemp` has many an X in a row).
fn has_word(line: &str, mark: &str) -> bool {
    let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    line.match_indices(mark).any(|(start, _)| {
        !is_letter(line[..start].chars().next_back()) && !is_letter(line[start + mark.len()..].chars().next())
    })
}
