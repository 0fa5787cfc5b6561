//! Several measurements of one thing as one figure: the median, and how far the rest lie.

use std::fmt;

use serde::Serialize;

/// A median between the least and the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The middle one; of an even number the mean of the middle two.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Figure {
    /// Sums values up.
    ///
    /// * `values`: at least one.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        assert!(!values.is_empty(), "a figure of nothing means nothing");
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Self { median, min: values[0], max: values[values.len() - 1] }
    }
}

/// `median [min to max]`, with the precision asked for.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        let Self { median, min, max } = self;
        f.pad_integral(true, "", &format!("{median:.digits$} [{min:.digits$} to {max:.digits$}]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_middle_and_the_ends() {
        assert_eq!(Figure::of([3.0, 1.0, 2.0]), Figure { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Figure::of([4.0, 1.0]).median, 2.5);
    }
}
