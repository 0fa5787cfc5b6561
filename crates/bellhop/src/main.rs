//! The one binary: a thin command line over the libraries.
fn main() {}
