//! One request, as the caller describes it.

use std::fmt;

use bellhop_model::{EndpointUrl, Mode};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use hyper::http::uri::InvalidUri;
use hyper::{Method, Uri};

/// The header `user-agent` of every request: `Bellhop/<version>`.
pub const USER_AGENT: &str = concat!("Bellhop/", env!("CARGO_PKG_VERSION"));

/// Headers that every request has besides the caller's.
const OWN_HEADERS: usize = 3;

/// What is posted, and where to.
///
/// `content-type`, `user-agent` and `host` are the sender's; the caller brings the `webhook-*` headers.
pub struct Request<'a> {
    url: &'a EndpointUrl,
    mode: Mode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

/// A live request over plain HTTP. Live URLs are parsed as `https`, so whoever sees this mixed up two webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a live request over plain HTTP is refused")]
pub struct PlainHttp;

/// Why a URL that an organisation could register cannot be put into a request: its host is no host name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAddressable {
    #[error("the URL has no form that HTTP allows")]
    Uri(#[from] InvalidUri),
    #[error("the URL's host has no form that HTTP allows")]
    Host(#[from] InvalidHeaderValue),
}

impl<'a> Request<'a> {
    /// Describes a `POST` of `body`, JSON in UTF-8, to `url`.
    ///
    /// # Errors
    /// [`PlainHttp`] when the mode is live and the URL is not `https`.
    pub fn new(
        url: &'a EndpointUrl,
        mode: Mode,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<Self, PlainHttp> {
        match mode {
            Mode::Live if !url.is_https() => Err(PlainHttp),
            Mode::Live | Mode::Test => Ok(Self { url, mode, headers, body }),
        }
    }

    /// Where it goes to.
    #[must_use]
    pub const fn url(&self) -> &EndpointUrl {
        self.url
    }

    /// The mode, which decides on the pool of connections.
    pub(crate) const fn mode(&self) -> Mode {
        self.mode
    }

    /// Turns the description into a request with every header.
    pub(crate) fn assemble(&self) -> Result<hyper::Request<Full<Bytes>>, NotAddressable> {
        let uri = Uri::try_from(self.url.expose())?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let mut headers = HeaderMap::with_capacity(OWN_HEADERS + self.headers.len());
        // RFC 9110 §7.2 asks for `Host` first, and some hand-written servers look nowhere else.
        headers.insert(HOST, HeaderValue::from_str(authority)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(bellhop_model::CONTENT_TYPE));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.extend(self.headers.iter().cloned());
        let mut request = hyper::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("url", self.url)
            .field("mode", &self.mode)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> EndpointUrl {
        EndpointUrl::parse(text, Mode::Test).expect(text)
    }

    #[test]
    fn live_requests_are_https_only() {
        let request = |text, mode| Request::new(&url(text), mode, Vec::new(), Bytes::new()).map(drop);
        assert_eq!(request("http://example.org/", Mode::Live), Err(PlainHttp));
        assert_eq!(request("https://example.org/", Mode::Live), Ok(()));
        assert_eq!(request("http://example.org/", Mode::Test), Ok(()));
    }

    #[test]
    fn the_host_comes_first_and_names_an_unusual_port() {
        let headers = vec![(HeaderName::from_static("webhook-id"), HeaderValue::from_static("evt_1"))];
        for (text, host) in [
            ("https://example.org/", "example.org"),
            ("https://example.org:443/", "example.org"),
            ("http://example.org:8080/a?b=c", "example.org:8080"),
            ("https://[2606:4700::1111]:8443/", "[2606:4700::1111]:8443"),
            ("https://bücher.example/", "xn--bcher-kva.example"),
        ] {
            let url = url(text);
            let request = Request::new(&url, Mode::Test, headers.clone(), Bytes::new()).expect(text);
            let request = request.assemble().expect(text);
            let names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
            assert_eq!(names, ["host", "content-type", "user-agent", "webhook-id"]);
            assert_eq!(request.headers()[HOST], host);
        }
    }

    #[test]
    fn every_character_that_a_path_or_query_may_hold_can_be_sent() {
        let printable: String = (' '..='~').collect();
        for text in [format!("https://example.org/{printable}"), format!("https://example.org/?{printable}é")]
        {
            let url = url(&text);
            let request = Request::new(&url, Mode::Live, Vec::new(), Bytes::new()).expect("https");
            assert!(request.assemble().is_ok(), "{text}");
        }
    }

    #[test]
    fn debug_output_holds_no_path_and_no_body() {
        let url = url("https://example.org/token");
        let body = Bytes::from_static(b"patient");
        let request = Request::new(&url, Mode::Live, Vec::new(), body).expect("https");
        let shown = format!("{request:?}");
        assert!(!shown.contains("token") && !shown.contains("patient"), "{shown}");
    }
}
