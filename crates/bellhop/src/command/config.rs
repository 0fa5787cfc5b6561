//! `bellhop config`: the reference file, rendered from the code that reads it.

use crate::config::Config;
use crate::failure::Failure;

/// Prints the reference.
#[expect(clippy::unnecessary_wraps, reason = "every command has one shape")]
pub(super) fn run() -> Result<(), Failure> {
    print!("{}", Config::reference());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_in_config_is_what_the_code_reads() {
        let file = include_str!("../../../../config/bellhop.toml");
        assert_eq!(file, Config::reference(), "run `bellhop config > config/bellhop.toml`");
    }
}
