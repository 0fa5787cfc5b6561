//! Whether a form was sent by one of our own pages.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};

use crate::problem::Problem;

/// What browsers that know it say of where a request comes from; no page can make it up.
const FETCH_SITE: &str = "sec-fetch-site";

/// Insists that a request was made by a page of this very host.
///
/// A browser either says so itself, or says which origin the page has; one that says neither is too old to be trusted
/// with a form.
pub(super) fn check_sender(headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_ours = match text(FETCH_SITE) {
        Some(site) => site == "same-origin",
        None => {
            let host = text(HOST.as_str()).or_else(|| uri.authority().map(|authority| authority.as_str()));
            let origin = text(ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
            origin.zip(host).is_some_and(|((_, origin), host)| origin.eq_ignore_ascii_case(host))
        }
    };
    if is_ours { Ok(()) } else { Err(foreign()) }
}

/// Whether another site's page led here, so that the browser kept its cookie to itself.
pub(super) fn is_led_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get(FETCH_SITE).is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// What is told of a form that is not ours, or of another session than the browser has now.
pub(super) fn foreign() -> Problem {
    let detail = "this form was not sent by a page of this console that you opened since you signed in: nothing was changed; open the page again and repeat what you did";
    Problem::new(StatusCode::FORBIDDEN, "foreign-form", "This form was not accepted", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ours(headers: &[(&'static str, &'static str)]) -> bool {
        let pairs = headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        let headers: HeaderMap = pairs.collect();
        check_sender(&headers, &Uri::from_static("/console/sign-in")).is_ok()
    }

    #[test]
    fn a_form_is_ours_by_what_the_browser_says() {
        let host = ("host", "console.example:8443");
        assert!(is_ours(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(is_ours(&[host, ("origin", "https://console.example:8443")]));
        assert!(is_ours(&[host, ("origin", "https://Console.example:8443")]));
        for other in ["cross-site", "same-site", "none", ""] {
            let claimed = ("origin", "https://console.example:8443");
            assert!(!is_ours(&[host, claimed, ("sec-fetch-site", other)]), "{other}");
        }
        for origin in ["null", "https://console.example", "https://evil.example", "console.example:8443", ""]
        {
            assert!(!is_ours(&[host, ("origin", origin)]), "{origin}");
        }
        assert!(!is_ours(&[host]));
    }
}
