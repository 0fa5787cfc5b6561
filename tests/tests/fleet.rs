//! Runs every end-to-end case against throwaway servers: `cargo test --package bellhop-tests --test fleet [NAME]`.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    bellhop_tests::fleet::main()
}
