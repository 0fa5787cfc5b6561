//! Where RabbitMQ's management API is.

use std::fmt;
use std::fs;

use bellhop_runtime::config::{Key, Sensitive, Settings};
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use url::Url;

/// Where RabbitMQ's management API is and who we are there. `Debug` shows no password.
#[derive(Clone)]
pub(crate) struct ManagementAddress {
    /// Scheme, host, port and path, without a slash at the end: `https://rabbitmq:15671`.
    pub(crate) root: String,
    /// The user we sign in as.
    pub(crate) user: String,
    /// Its password.
    pub(crate) password: Sensitive,
    /// Certificate authorities to trust for `https`; none for the public ones.
    pub(crate) authorities: Vec<CertificateDer<'static>>,
}

impl ManagementAddress {
    /// Reads `http[s]://user:password@host:port[/prefix]`, the parts percent-encoded; `None` when it is none.
    fn parse(text: &str) -> Option<Self> {
        let mut url = Url::parse(text.trim()).ok()?;
        let is_http = matches!(url.scheme(), "http" | "https");
        if !is_http || url.username().is_empty() || url.query().is_some() || url.fragment().is_some() {
            return None;
        }
        let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(String::from);
        let user = decode(url.username())?;
        let password = Sensitive::new(decode(url.password()?)?);
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        let root = url.as_str().trim_end_matches('/').to_owned();
        Some(Self { root, user, password, authorities: Vec::new() })
    }
}

impl fmt::Debug for ManagementAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManagementAddress({} as `{}`)", self.root, self.user)
    }
}

/// Reads section `[rabbitmq]`.
pub(super) fn read_management(settings: &mut Settings) -> Option<ManagementAddress> {
    let mut rabbitmq = settings.section(
        "rabbitmq",
        "RabbitMQ's management API, which only `bellhop doctor` asks; it skips some checks without it.",
    );
    let url = rabbitmq.secret(
        Key { name: "management_url", meaning: "Its address, parts percent-encoded. A user with the tag `monitoring` can see all but permissions, which RabbitMQ shows to the tag `administrator` alone." },
        "an `http://` or `https://` URL with user and password",
        "https://bellhop-doctor:password@rabbitmq:15671",
    );
    let authority = rabbitmq.optional_text(
        Key { name: "ca_file", meaning: "PEM file of the certificate authorities to trust for `https`. Without it the public ones are trusted." },
        "/etc/bellhop/broker-ca.pem",
    );
    let authorities = authority.map_or_else(Vec::new, |path| {
        let read = fs::read(&path).map_err(|error| format!("`{path}` cannot be read: {error}"));
        let certificates =
            read.and_then(|pem| bellhop_sender::read_certificates(&pem).map_err(|error| error.to_string()));
        certificates.unwrap_or_else(|problem| {
            rabbitmq.problem("ca_file", problem);
            Vec::new()
        })
    });
    let address = ManagementAddress::parse(url?.expose());
    if address.is_none() {
        rabbitmq.problem("management_url", "must be an `http://` or `https://` URL with user and password");
    }
    Some(ManagementAddress { authorities, ..address? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_shown_without_its_password() {
        let address = ManagementAddress::parse("http://do%40c:p%2Fw@rabbit:15672/mq/").expect("valid");
        assert_eq!(address.root, "http://rabbit:15672/mq");
        assert_eq!((address.user.as_str(), address.password.expose()), ("do@c", "p/w"));
        assert!(!format!("{address:?}").contains("p/w"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "rabbit:15672", "amqp://u:p@rabbit", "http://rabbit:15672", "http://u@rabbit"] {
            assert!(ManagementAddress::parse(text).is_none(), "{text}");
        }
    }
}
