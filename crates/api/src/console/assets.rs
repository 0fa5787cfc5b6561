//! The stylesheet, the script and the mark: each served under a name that has its hash, hence for ever.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use crate::problem::Problem;
use crate::state::Api;

/// One section per component, in the order in which they apply.
const STYLE: &str = concat!(
    include_str!("assets/style/tokens.css"),
    include_str!("assets/style/base.css"),
    include_str!("assets/style/frame.css"),
    include_str!("assets/style/parts.css"),
    include_str!("assets/style/forms.css"),
    include_str!("assets/style/webhooks.css"),
    include_str!("assets/style/verify.css"),
    include_str!("assets/style/audit.css"),
    include_str!("assets/style/log.css"),
);

/// One section per behaviour.
const SCRIPT: &str = concat!(
    include_str!("assets/script/times.js"),
    include_str!("assets/script/copy.js"),
    include_str!("assets/script/refresh.js"),
);

const MARK: &str = include_str!("assets/mark.svg");

/// Bytes of a hash that a name has.
const HASH_BYTES: usize = 8;

/// How long what never changes may be kept, and that it need not be asked for.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Of a name from another version of this program, which runs beside this one while it is replaced.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// No other site needs any of it.
const RESOURCE_POLICY: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));

/// Every asset.
static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new("style", "css", "text/css; charset=utf-8", STYLE),
    script: Asset::new("script", "js", "text/javascript; charset=utf-8", SCRIPT),
    mark: Asset::new("mark", "svg", "image/svg+xml", MARK),
});

/// What pages refer to.
pub(super) struct Assets {
    pub(super) style: Asset,
    pub(super) script: Asset,
    pub(super) mark: Asset,
}

/// A file that is part of this program.
pub(super) struct Asset {
    name: String,
    stem: &'static str,
    extension: &'static str,
    media_type: &'static str,
    text: &'static str,
}

impl Assets {
    pub(super) fn get() -> &'static Self {
        &ASSETS
    }
}

impl Asset {
    fn new(
        stem: &'static str,
        extension: &'static str,
        media_type: &'static str,
        text: &'static str,
    ) -> Self {
        let mut name = format!("{stem}.");
        for byte in &Sha256::digest(text.as_bytes())[..HASH_BYTES] {
            write!(name, "{byte:02x}").expect("a string takes all");
        }
        Self { name: format!("{name}.{extension}"), stem, extension, media_type, text }
    }

    /// Where it is served.
    pub(super) fn path(&self) -> String {
        format!("/console/assets/{}", self.name)
    }

    /// Whether a name is that of this asset in some version of the program.
    fn is_called(&self, name: &str) -> bool {
        let mut parts = name.split('.');
        parts.next() == Some(self.stem) && parts.nth(1) == Some(self.extension) && parts.next().is_none()
    }
}

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/assets/{name}", get(serve))
}

async fn serve(Path(name): Path<String>) -> Result<Response, Problem> {
    let Assets { style, script, mark } = Assets::get();
    let asset = [style, script, mark].into_iter().find(|asset| asset.is_called(&name));
    let asset = asset.ok_or_else(|| Problem::not_found("the console has no such file"))?;
    let caching = if asset.name == name { FOR_EVER } else { NOT_KEPT };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (CACHE_CONTROL, caching),
        RESOURCE_POLICY,
    ];
    Ok((headers, asset.text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every page has them, so they are most of its weight.
    const BYTES_MAX: usize = 48 * 1024;

    #[test]
    fn a_name_follows_from_the_text() {
        let of = |text| Asset::new("style", "css", "text/css", text);
        assert_eq!(of("a").name, of("a").name);
        assert_ne!(of("a").name, of("b").name);
        assert!(of("a").is_called(&of("b").name));
        for name in ["style.css", "style.00.css.map", "script.00.css", "../style.00.css", ""] {
            assert!(!of("a").is_called(name), "{name}");
        }
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for text in [STYLE, SCRIPT, MARK] {
            let is_foreign = text.replace("http://www.w3.org/2000/svg", "").contains("://");
            assert!(!is_foreign && !text.contains("@import"));
        }
    }

    #[test]
    fn what_every_page_has_is_light() {
        assert!(STYLE.len() + SCRIPT.len() + MARK.len() < BYTES_MAX);
    }
}
