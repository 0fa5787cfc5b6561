//! Finding the few that cannot be written among the many that can.

use std::ops::Range;

/// What is still to be written of a batch, in pieces.
///
/// A piece that fails for what it holds is halved; one of a single entry is that entry's own fault. So a bad entry among
/// a thousand costs some twenty writes, and no good one waits for it.
#[derive(Debug)]
pub(crate) struct Pieces(Vec<Range<usize>>);

/// What came of splitting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    /// The halves come next.
    Halved,
    /// This one is to blame.
    Single(usize),
}

impl Pieces {
    /// So many entries in one piece.
    pub(crate) fn new(count: usize) -> Self {
        let whole = 0..count;
        Self(if whole.is_empty() { Vec::new() } else { Vec::from([whole]) })
    }

    /// The piece to be written next.
    pub(crate) fn next(&self) -> Option<Range<usize>> {
        self.0.last().cloned()
    }

    /// The piece is written.
    pub(crate) fn finish(&mut self) {
        self.0.pop();
    }

    /// The piece can never be written as it is.
    pub(crate) fn split(&mut self) -> Split {
        let piece = self.0.pop().expect("there is a piece that was tried");
        if piece.len() == 1 {
            return Split::Single(piece.start);
        }
        let middle = piece.start + piece.len() / 2;
        self.0.extend([middle..piece.end, piece.start..middle]);
        Split::Halved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes all but the bad ones.
    fn write(count: usize, bad: &[usize]) -> (Vec<usize>, Vec<usize>, usize) {
        let (mut written, mut refused, mut tries) = (Vec::new(), Vec::new(), 0);
        let mut pieces = Pieces::new(count);
        while let Some(piece) = pieces.next() {
            tries += 1;
            if bad.iter().any(|entry| piece.contains(entry)) {
                if let Split::Single(entry) = pieces.split() {
                    refused.push(entry);
                }
            } else {
                written.extend(piece);
                pieces.finish();
            }
        }
        (written, refused, tries)
    }

    #[test]
    fn every_good_one_is_written_once_and_every_bad_one_is_named() {
        for bad in [&[][..], &[0], &[6], &[3, 4], &[0, 1, 2, 3, 4, 5, 6]] {
            let (mut written, refused, _) = write(7, bad);
            assert_eq!(refused, bad);
            written.extend(bad);
            written.sort_unstable();
            assert_eq!(written, [0, 1, 2, 3, 4, 5, 6], "{bad:?}");
        }
        assert_eq!(write(0, &[]).2, 0);
    }

    #[test]
    fn one_bad_one_costs_few_tries() {
        let (written, refused, tries) = write(1000, &[637]);
        assert_eq!((written.len(), refused), (999, vec![637]));
        assert!(tries <= 21, "{tries}");
    }
}
