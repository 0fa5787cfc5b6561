//! The only crate that opens sockets to strangers: resolve, refuse forbidden addresses, send, read a bounded answer.
//!
//! [`Sender::send`] makes one attempt: one `POST`, one [`Exchange`]. The caller signs, numbers and records; this crate
//! sees to it that the request goes only where it may, ends by its deadline and reads no more than it must.

mod options;
pub use options::{SenderError, SenderOptions};

pub mod address;

mod request;
pub use hyper::header::{HeaderName, HeaderValue};
pub use request::{PlainHttp, Request, USER_AGENT};

mod client;
pub use client::{Exchange, Sender};

mod lent;
pub use lent::exchange_over;

mod phases;
pub use phases::Phases;

mod excerpt;
pub use excerpt::{AnswerExcerpt, AnswerHeader};

mod connector;
mod resolver;
mod stream;
mod wire;

mod tls;
pub use rustls::pki_types::CertificateDer;
pub use tls::{CertificatesError, read_certificates};

mod answer;
mod classify;
