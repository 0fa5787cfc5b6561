//! The URL an organisation registered, parsed and normalised once.

use std::fmt;

use url::{Host, Position, Url};

use crate::Mode;
use crate::limits::ENDPOINT_URL_BYTES_MAX;

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
        /// Length after normalisation.
        bytes: usize,
    },
}

impl EndpointUrl {
    /// Parses and normalises a URL for a webhook of `mode`.
    ///
    /// Octal, hexadecimal and decimal IPv4 notations become dotted quads, international names become Punycode, and
    /// the fragment, which never reaches a server, is dropped; so what is judged is what is called.
    ///
    /// # Errors
    /// [`EndpointUrlError`], whose text is fit for the organisation and never repeats the URL.
    pub fn parse(text: &str, mode: Mode) -> Result<Self, EndpointUrlError> {
        let mut url =
            Url::parse(text.trim()).map_err(|error| EndpointUrlError::Unparsable(error.to_string()))?;
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
        url.set_fragment(None);
        let bytes = url.as_str().len();
        if ENDPOINT_URL_BYTES_MAX < bytes {
            return Err(EndpointUrlError::TooLong { bytes });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_notations_are_normalised() {
        let cases = [
            ("http://2130706433/a", "http://127.0.0.1/a"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://0177.0.0.1/", "http://127.0.0.1/"),
            ("https://EXAMPLE.org:443/x?y=z#frag", "https://example.org/x?y=z"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
            ("  https://example.org  ", "https://example.org/"),
        ];
        for (given, expected) in cases {
            assert_eq!(EndpointUrl::parse(given, Mode::Test).expect(given).expose(), expected);
        }
    }

    #[test]
    fn wrong_urls_are_refused_by_kind() {
        use EndpointUrlError as E;
        let long = format!("https://example.org/{}", "a".repeat(ENDPOINT_URL_BYTES_MAX));
        let is = |text: &str, mode, expected: fn(&E) -> bool| {
            let error = EndpointUrl::parse(text, mode).expect_err(text);
            assert!(expected(&error), "{text}: {error}");
        };
        is("http://example.org/", Mode::Live, |e| matches!(e, E::Scheme { .. }));
        is("ftp://example.org/", Mode::Test, |e| matches!(e, E::Scheme { .. }));
        is("file:///etc/passwd", Mode::Test, |e| matches!(e, E::Scheme { .. }));
        is("https://user:pass@example.org/", Mode::Live, |e| matches!(e, E::UserInformation));
        is("https://user@example.org/", Mode::Live, |e| matches!(e, E::UserInformation));
        is("https://", Mode::Live, |e| matches!(e, E::Unparsable(_)));
        is("example.org/hook", Mode::Live, |e| matches!(e, E::Unparsable(_)));
        is("https://[fe80::1%25eth0]/", Mode::Live, |e| matches!(e, E::Unparsable(_)));
        is(&long, Mode::Live, |e| matches!(e, E::TooLong { .. }));
    }

    #[test]
    fn the_origin_tells_servers_apart_and_no_more() {
        for (url, origin) in [
            ("https://example.org:443/hook/s3cret?token=t0ken", "https://example.org"),
            ("https://example.org:8443", "https://example.org:8443"),
            ("http://[2606:4700::1111]/", "http://[2606:4700::1111]"),
        ] {
            assert_eq!(EndpointUrl::parse(url, Mode::Test).expect(url).origin(), origin);
        }
    }

    #[test]
    fn neither_debug_nor_display_shows_the_path() {
        let url =
            EndpointUrl::parse("https://example.org/hook/s3cret?token=t0ken", Mode::Live).expect("valid");
        for text in [format!("{url}"), format!("{url:?}")] {
            assert!(
                text.contains("example.org") && !text.contains("s3cret") && !text.contains("t0ken"),
                "{text}"
            );
        }
    }
}
