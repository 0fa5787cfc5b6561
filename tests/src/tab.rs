//! A browser's tab without a browser: it keeps the console's cookie, sends forms as a page would, and insists on what every
//! page carries. What only a browser shows is tried in one.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, HeaderMap, ORIGIN, SET_COOKIE};
use hyper::{Method, Request};
use url::{Position, Url, form_urlencoded};

use crate::http;
use crate::patience::within;

/// What every page may do, and carries.
const PAGE_HEADERS: [(&str, &str); 7] = [
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "same-origin"),
    ("strict-transport-security", "max-age=31536000"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// A page is light: what is behind it may be large, and is shown by parts.
const PAGE_BYTES_MAX: usize = 100 * 1024;

/// Somebody at a console.
#[derive(Debug, Clone)]
pub struct Tab {
    url: Url,
    cookie: Option<String>,
    csrf: String,
}

/// What the console answered.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The page; empty when there is none.
    pub text: String,
}

impl Tab {
    /// * `url`: of the process that serves the console.
    #[must_use]
    pub fn open(url: &Url) -> Self {
        Self { url: url.clone(), cookie: None, csrf: String::new() }
    }

    /// The origin of the console's pages.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url[..Position::BeforePath].to_owned()
    }

    /// What the tab shows of who it is; none while nobody is signed in.
    #[must_use]
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    /// Takes over what another tab shows.
    pub fn take_cookie(&mut self, cookie: &str) {
        self.cookie = Some(cookie.to_owned());
    }

    /// The word that the last page's forms carry.
    #[must_use]
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Loads a page.
    ///
    /// # Errors
    /// When no answer was had, or one that is no decent page.
    pub async fn get(&mut self, path: &str) -> Result<Shown> {
        self.send(Method::GET, path, &[], String::new()).await
    }

    /// Loads a page with headers of its own.
    ///
    /// # Errors
    /// When no answer was had, or one that is no decent page.
    pub async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<Shown> {
        self.send(Method::GET, path, headers, String::new()).await
    }

    /// Sends a form of the page that was loaded last.
    ///
    /// # Errors
    /// When no answer was had, or one that is no decent page.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Shown> {
        let csrf = self.csrf.clone();
        let origin = self.origin();
        let fields = [&[("csrf", csrf.as_str())], fields].concat();
        self.submit_as(path, &[(ORIGIN.as_str(), &origin)], &fields).await
    }

    /// Sends a form as some other page would.
    ///
    /// # Errors
    /// When no answer was had, or one that is no decent page.
    pub async fn submit_as(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Result<Shown> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form_type = (CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded");
        let is_typed = headers.iter().any(|(name, _)| *name == CONTENT_TYPE.as_str());
        let own: &[(&str, &str)] = if is_typed { &[] } else { &[form_type] };
        self.send(Method::POST, path, &[own, headers].concat(), form).await
    }

    /// Signs in with a key.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn sign_in(&mut self, key: &str) -> Result<Shown> {
        let shown = self.submit("/console/sign-in", &[("key", key)]).await?.of(303)?;
        self.follow(&shown).await
    }

    /// Signs in by a link.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn open_link(&mut self, token: &str) -> Result<Shown> {
        self.get(&format!("/console/sign-in?token={token}")).await?.of(200)?;
        let shown = self.submit("/console/sign-in", &[("token", token)]).await?.of(303)?;
        self.follow(&shown).await
    }

    /// Goes where an answer leads.
    ///
    /// # Errors
    /// When it leads nowhere.
    pub async fn follow(&mut self, shown: &Shown) -> Result<Shown> {
        let location = shown.header("location").to_owned();
        ensure!(location.starts_with("/console"), "it leads to `{location}`");
        self.get(&location).await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Shown> {
        let what = format!("{method} {path}");
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers.iter().filter(|(name, _)| *name != HOST.as_str()) {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Full::new(Bytes::from(body))).with_context(|| what.clone())?;
        let response = within(&what, http::send(&self.url, request)).await?.with_context(|| what.clone())?;
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.to_vec())?;
        let shown = Shown { status: head.status.as_u16(), headers: head.headers, text };
        shown.ensure_decent().with_context(|| format!("{what}: {}", shown.text))?;
        self.keep(&shown);
        Ok(shown)
    }

    fn keep(&mut self, shown: &Shown) {
        let cookie = shown.header(SET_COOKIE.as_str());
        if let Some((pair, attributes)) = cookie.split_once(';') {
            self.cookie = (!attributes.contains("Max-Age=0")).then(|| pair.to_owned());
        }
        if let Some(csrf) = shown.field("csrf") {
            self.csrf = csrf;
        }
    }
}

impl Shown {
    /// Insists on a status.
    ///
    /// # Errors
    /// With what was answered instead.
    pub fn of(self, status: u16) -> Result<Self> {
        ensure!(
            self.status == status,
            "expected {status}, not {} (to `{}`): {}",
            self.status,
            self.header("location"),
            self.text
        );
        Ok(self)
    }

    /// Insists that the page says things.
    ///
    /// # Errors
    /// With what it says instead.
    pub fn says(self, texts: &[&str]) -> Result<Self> {
        for text in texts {
            ensure!(self.text.contains(text), "`{text}` is not in {}", self.text);
        }
        Ok(self)
    }

    /// Insists that the page does not say things.
    ///
    /// # Errors
    /// With what it says.
    pub fn keeps_quiet_about(self, texts: &[&str]) -> Result<Self> {
        for text in texts {
            ensure!(!self.text.contains(text), "`{text}` is in {}", self.text);
        }
        Ok(self)
    }

    /// A header's value; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What the first field of this name in the page holds.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        let (_, rest) = self.text.split_once(&format!("name=\"{name}\" value=\""))?;
        rest.split('"').next().map(ToOwned::to_owned)
    }

    /// The first piece of the page that stands between two texts.
    ///
    /// # Errors
    /// When there is none.
    pub fn between(&self, before: &str, after: &str) -> Result<String> {
        let found = self.text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
        let (found, _) = found.with_context(|| format!("nothing behind `{before}` in {}", self.text))?;
        Ok(found.to_owned())
    }

    /// Insists on what every page has: an id, its headers, and of everything only what is ours.
    fn ensure_decent(&self) -> Result<()> {
        ensure!(self.status < 500 || self.status == 503, "a fault of ours");
        ensure!(!self.header("x-request-id").is_empty(), "no request id");
        if (300..400).contains(&self.status) {
            return Ok(());
        }
        for (name, value) in PAGE_HEADERS {
            ensure!(self.header(name) == value, "`{name}` is `{}`", self.header(name));
        }
        ensure!(self.text.len() < PAGE_BYTES_MAX, "the page has {} bytes", self.text.len());
        for forbidden in
            [" style=", "<style", " onclick=", "href=\"javascript:", "<script>", "src=\"http", "src=\"//"]
        {
            ensure!(!self.text.contains(forbidden), "the page has `{forbidden}`");
        }
        Ok(())
    }
}
