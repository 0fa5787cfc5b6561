//! The URL an organisation registered, parsed and normalised once.

use std::fmt;

use url::{Host, Position, Url};

use crate::Mode;
use crate::limits::ENDPOINT_URL_BYTES_MAX;

#[cfg(test)]
mod tests;

/// Where a webhook's requests go: absolute, `https` (in Test Mode also `http`), without user information.
///
/// It may carry a token in its path or query, so it is a credential: `Debug` and `Display` show only scheme, host
/// and port.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EndpointUrl(Url);

/// Why a text cannot be a webhook's URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointUrlError {
    /// Not an absolute URL with a host.
    #[error(
        "the URL cannot be parsed ({0}): expected an absolute URL such as `https://example.org/webhooks`"
    )]
    Unparsable(String),
    /// A scheme that the mode does not allow.
    #[error("the URL's scheme `{scheme}` is not allowed in {mode} mode: use `https`{}", if *.mode == Mode::Test { " or `http`" } else { "" })]
    Scheme {
        /// The scheme found.
        scheme: String,
        /// The mode of the webhook.
        mode: Mode,
    },
    /// `user:password@` in front of the host.
    #[error("the URL contains user information before the host: put a token in the path or query instead")]
    UserInformation,
    /// Longer than is stored.
    #[error("the URL has {bytes} bytes: at most {ENDPOINT_URL_BYTES_MAX} are allowed")]
    TooLong {
        /// Length as given or after normalisation, whichever is too much.
        bytes: usize,
    },
    /// A host that no name server can know.
    #[error(
        "the URL's host is no host name: expected labels of 1 to 63 letters, digits, `-` or `_`, 253 characters in all"
    )]
    Host,
    /// A port that nothing listens on.
    #[error("the URL's port is 0: leave it out or give the one that the server listens on")]
    Port,
}

/// Greatest length of a host name without the dot of the root, in characters, and of one label of it. RFC 1035 §2.3.4.
const HOST_NAME_CHARS_MAX: usize = 253;
const HOST_LABEL_CHARS_MAX: usize = 63;

impl EndpointUrl {
    /// Parses and normalises a URL for a webhook of `mode`.
    ///
    /// Octal, hexadecimal and decimal IPv4 notations become dotted quads, international names become Punycode, and
    /// the fragment, which never reaches a server, is dropped; so what is judged is what is called.
    ///
    /// # Errors
    /// [`EndpointUrlError`], whose text is fit for the organisation and never repeats the URL.
    pub fn parse(text: &str, mode: Mode) -> Result<Self, EndpointUrlError> {
        let text = text.trim();
        // What is too long is not even parsed, so no error repeats more than this of it.
        check_length(text)?;
        let mut url = Url::parse(text).map_err(|error| EndpointUrlError::Unparsable(error.to_string()))?;
        let is_scheme_allowed = match mode {
            Mode::Live => url.scheme() == "https",
            Mode::Test => matches!(url.scheme(), "https" | "http"),
        };
        if !is_scheme_allowed {
            return Err(EndpointUrlError::Scheme { scheme: url.scheme().to_owned(), mode });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointUrlError::UserInformation);
        }
        if url.domain().is_some_and(|name| !is_host_name(name)) {
            return Err(EndpointUrlError::Host);
        }
        if url.port() == Some(0) {
            return Err(EndpointUrlError::Port);
        }
        url.set_fragment(None);
        check_length(url.as_str())?;
        Ok(Self(url))
    }

    /// The whole URL; a credential, so only for the request itself and for sealing.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Scheme, host and port: what endpoints of one server have in common. No credential.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0[..Position::BeforePath]
    }

    /// The host, parsed: a name or an IP literal.
    #[must_use]
    pub fn host(&self) -> Host<&str> {
        self.0.host().expect("http and https URLs have a host")
    }

    /// The port, given or implied by the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().expect("http and https have a default port")
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}/…", self.0.scheme(), self.host(), self.port())
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointUrl({self})")
    }
}

fn check_length(text: &str) -> Result<(), EndpointUrlError> {
    let bytes = text.len();
    if ENDPOINT_URL_BYTES_MAX < bytes { Err(EndpointUrlError::TooLong { bytes }) } else { Ok(()) }
}

/// Whether a name, as the parser normalised it, can be asked for; `_` is in use although RFC 952 does not know it.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=HOST_LABEL_CHARS_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= HOST_NAME_CHARS_MAX && name.split('.').all(is_label)
}
