//! The documented reference file, rendered from what was declared.

use super::declaration::{Declaration, Entry};

/// Width of a line of prose, the `# ` included.
const LINE_WIDTH: usize = 100;

const PREAMBLE: &str = "Bellhop's settings. Every key is shown, commented out, with its default, or with an \
    example where there is no default. The environment variable named beside a key beats this file. A \
    section, key or BELLHOP_ variable that nothing reads is refused, so that a typing error cannot pass \
    for a setting.";

pub(super) fn render(sections: &[Declaration]) -> String {
    let mut text = prose(PREAMBLE);
    for section in sections {
        text.push('\n');
        text.push_str(&prose(section.meaning));
        text.push_str(&format!("[{}]\n", section.name));
        for entry in &section.entries {
            text.push('\n');
            text.push_str(&prose(entry.key.meaning));
            text.push_str(&prose(&terms(section.name, entry)));
            text.push_str(&format!("#{} = {}\n", entry.key.name, entry.written));
        }
    }
    text
}

/// What an operator may write, and where else.
fn terms(section: &str, entry: &Entry) -> String {
    let default = if entry.is_optional { " No default; the value below is an example." } else { "" };
    let file = if entry.is_secret {
        format!(" A secret: better kept in a file of its own, named by key {}_file.", entry.key.name)
    } else {
        String::new()
    };
    let variables: Vec<String> = entry.variable_names(section).collect();
    format!("{}.{default}{file} Environment: {}.", capitalised(&entry.form), variables.join(" or "))
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Breaks sentences into comment lines.
fn prose(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        if LINE_WIDTH <= last.chars().count() + word.chars().count() && last != "#" {
            lines.push(format!("# {word}"));
        } else {
            last.push(' ');
            last.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_wrapped_and_every_line_is_a_comment() {
        let text = prose(&"word ".repeat(60));
        assert!(text.lines().count() == 4, "{text}");
        assert!(text.lines().all(|line| line.starts_with("# word") && line.len() <= LINE_WIDTH), "{text}");
    }

    #[test]
    fn a_word_longer_than_the_line_stays_whole() {
        let word = "x".repeat(LINE_WIDTH * 2);
        assert_eq!(prose(&word), format!("# {word}\n"));
    }
}
