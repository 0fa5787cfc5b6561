//! The REST API and the console: organisations manage their webhooks, keys and secrets, and see who did what.
//!
//! A request passes the layers of `around`, is recognised by `identity`, handled by one of `routes`, and refused as a
//! `problem` that says which field is wrong and what to do. What the API can do is told by `document`, from the code. The
//! same for people is `console`: pages instead of JSON, sessions instead of keys.

mod options;
pub use options::{
    ApiOptions, EndpointRule, OperatorCredential, OperatorCredentialError, Rate, SessionTimes,
};

mod server;
pub use server::{ApiServer, BindError, Surroundings};

mod state;

mod around;
mod client;
mod rate;

mod problem;
mod publishing;
mod sameness;

mod answer;
mod body;
mod condition;
mod page;
mod path;
mod told;

mod recovering;
mod revealed;
mod sought;

mod identity;

mod audit;
mod keys;

mod document;
mod routes;

mod console;

mod metrics;
pub use metrics::ApiMetrics;
