//! The only crate that opens sockets to strangers: resolve, refuse forbidden addresses, send, read a bounded answer.
