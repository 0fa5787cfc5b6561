//! The only crate that speaks PostgreSQL and Redis: the truth about webhooks and its cached copy.
