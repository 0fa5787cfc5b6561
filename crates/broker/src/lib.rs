//! The only crate that speaks AMQP: topology, supervised connections, confirmed publishing, bounded consuming, settling.
