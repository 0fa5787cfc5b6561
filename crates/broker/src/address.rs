//! Where the broker is and who we are there.

use std::fmt;

use lapin::uri::AMQPUri;

/// A broker's address: an `amqp://` or `amqps://` URL. It holds a password, so `Debug` and `Display` leave it out.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    uri: AMQPUri,
    authority_pem: Option<String>,
}

/// Why a text is no broker's address. Never repeats the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an `amqp` or `amqps` URL.
    #[error("not a broker's address: expected `amqp://user:password@host:port/vhost` (or `amqps://…`)")]
    Malformed,
    /// An IPv6 literal, which the client library reads as `localhost`.
    #[error("an IPv6 literal is not supported as the broker's host: use a host name")]
    Ipv6Literal,
}

impl BrokerAddress {
    /// Reads an address.
    ///
    /// * `text`: `amqp[s]://user:password@host:port/vhost`, the parts percent-encoded.
    /// * `authority_pem`: certificate authorities to trust for `amqps`, in PEM; `None` trusts the public ones.
    ///
    /// # Errors
    /// [`AddressError`] when it is none.
    pub fn parse(text: &str, authority_pem: Option<String>) -> Result<Self, AddressError> {
        let uri: AMQPUri = text.trim().parse().map_err(|_| AddressError::Malformed)?;
        let authority = text.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        if authority.contains('[') {
            return Err(AddressError::Ipv6Literal);
        }
        Ok(Self { uri, authority_pem })
    }

    /// The user we sign in as.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    /// The virtual host.
    #[must_use]
    pub fn vhost(&self) -> &str {
        &self.uri.vhost
    }

    pub(crate) fn uri(&self) -> AMQPUri {
        self.uri.clone()
    }

    pub(crate) fn authority_pem(&self) -> Option<String> {
        self.authority_pem.clone()
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = &self.uri.authority;
        write!(f, "{}:{} (user `{}`, vhost `{}`)", authority.host, authority.port, self.user(), self.vhost())
    }
}

impl fmt::Debug for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokerAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address = BrokerAddress::parse("amqp://u:s3cret@broker:5673/care", None).expect("valid");
        for text in [format!("{address}"), format!("{address:?}")] {
            assert!(text.contains("broker:5673") && !text.contains("s3cret"), "{text}");
        }
        assert_eq!((address.user(), address.vhost()), ("u", "care"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for text in ["", "localhost", "http://u:s3cret@h", "amqp:u:s3cret"] {
            let error = BrokerAddress::parse(text, None).expect_err(text);
            assert!(!error.to_string().contains("s3cret"));
        }
        assert_eq!(BrokerAddress::parse("amqp://[::1]:5672", None), Err(AddressError::Ipv6Literal));
    }
}
