//! What somebody probably meant by a name that nothing reads.

/// Says that a name is unknown, and which known one it resembles.
pub(super) fn unknown<'k>(kind: &str, name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    match closest(name, known) {
        Some(meant) => format!("is an unknown {kind}; did you mean `{meant}`?"),
        None => format!("is an unknown {kind}"),
    }
}

fn closest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Two slips in a short word make another word; a long name bears three.
    let distance_max = (name.len() / 3).min(3);
    known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= distance_max)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters must be inserted, removed or replaced to make one name of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (removed, from) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = removed + 1;
        for (column, to) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_edits() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("prefetsh", "prefetch", 1),
            ("ab", "ba", 2),
        ];
        for (from, to, expected) in cases {
            assert_eq!(distance(from, to), expected, "{from} to {to}");
            assert_eq!(distance(to, from), expected, "{to} to {from}");
        }
    }

    #[test]
    fn only_a_close_name_is_suggested() {
        let known = ["prefetch", "request_timeout", "ca"];
        assert_eq!(closest("prefetsh", known), Some("prefetch"));
        assert_eq!(closest("requst_timeuot", known), Some("request_timeout"));
        assert_eq!(closest("listen", known), None);
        assert_eq!(closest("cb", known), None);
    }
}
