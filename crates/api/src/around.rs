//! What surrounds every request: its id, its deadline, who may ask how often, and what every answer carries.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::client::{ClientAddress, Peer, client_address};
use crate::console::{self, Seen};
use crate::problem::Problem;
use crate::rate::one_customer;
use crate::state::Api;

/// The header by which a request is called the same here and there.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken over.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// What no route is called in figures.
const NO_ROUTE: &str = "none";

/// What every answer carries unless its handler said otherwise: it is for one caller, and no page.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")),
];

/// What a request is called.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Who was recognised, for the log; set by whoever recognises.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recognised(pub(crate) Arc<OnceLock<String>>);

/// Whether the rest of the body is waited for, so that who is slow is told from what is slow here.
#[derive(Debug, Clone, Default)]
pub(crate) struct AwaitingBody(Arc<AtomicBool>);

impl AwaitingBody {
    pub(crate) fn set(&self, is_so: bool) {
        self.0.store(is_so, Ordering::Relaxed);
    }

    fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Serves one request, whatever happens in it.
pub(crate) async fn around(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let began_at = Instant::now();
    let id = request_id(request.headers());
    let recognised = Recognised::default();
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| NO_ROUTE.to_owned(), |path| path.as_str().to_owned());
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(recognised.clone());
    // Who is refused a page is shown one.
    let seen = console::is_page(request.uri().path()).then(Seen::default);
    if let Some(seen) = &seen {
        request.extensions_mut().insert(seen.clone());
    }
    let response = serve(&api, request, next).await;
    let mut response = finish(response, &id, seen.as_ref());
    secure(response.headers_mut());
    let told = Told { id: &id, method: &method, route: &route, who: recognised.0.get().map(String::as_str) };
    told.tell(&api, response.status(), began_at.elapsed());
    response
}

/// Within its time, and not more often than its address may.
async fn serve(api: &Api, mut request: Request, next: Next) -> Response {
    let peer =
        request.extensions().get::<Peer>().copied().expect("the server says where a request comes from");
    let client = client_address(peer.0.ip(), request.headers(), &api.options.trusted_proxies);
    let ClientAddress(address) = client;
    if let Err(too_often) = api.rates.addresses.take(&one_customer(address), Instant::now()) {
        return Problem::too_often(too_often.retry_after, "your address").into_response();
    }
    request.extensions_mut().insert(client);
    let awaiting = AwaitingBody::default();
    request.extensions_mut().insert(awaiting.clone());
    let served = AssertUnwindSafe(next.run(request)).catch_unwind();
    match timeout(api.options.request_timeout, served).await {
        Ok(Ok(response)) => response,
        // The panic's own message is in the log, by the runtime's hook.
        Ok(Err(_)) => Problem::internal().into_response(),
        Err(_) if awaiting.is_so() => Problem::too_slow().into_response(),
        Err(_) => Problem::unavailable("the request took too long; try again").into_response(),
    }
}

/// Renders a problem, now that its request's id is known.
///
/// * `seen`: of a page, who asked for it.
fn finish(mut response: Response, id: &str, seen: Option<&Seen>) -> Response {
    match (response.extensions_mut().remove::<Problem>(), seen) {
        (None, _) => {}
        (Some(problem), Some(seen)) => console::show_problem(&mut response, &problem, id, seen),
        (Some(problem), None) => {
            let problem = problem.of_request(id);
            let body = serde_json::to_vec(&problem).expect("texts and numbers always make JSON");
            *response.body_mut() = Body::from(body);
        }
    }
    let value = HeaderValue::from_str(id).expect("an id has letters and digits only");
    response.headers_mut().insert(REQUEST_ID, value);
    response
}

fn secure(headers: &mut HeaderMap) {
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(value);
    }
}

/// Takes the caller's id over when it is harmless; otherwise makes one.
fn request_id(headers: &HeaderMap) -> String {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let is_harmless = |id: &&str| (1..=REQUEST_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(is_word);
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_harmless);
    given.map_or_else(|| format!("req_{}", Uuid::now_v7().simple()), ToOwned::to_owned)
}

/// What is told of a request: no query, no body, no key.
struct Told<'a> {
    id: &'a str,
    method: &'a Method,
    route: &'a str,
    who: Option<&'a str>,
}

impl Told<'_> {
    fn tell(&self, api: &Api, status: StatusCode, took: Duration) {
        let Self { id, method, route, who } = *self;
        api.metrics.request(method, route, status, took);
        let who = who.unwrap_or("nobody");
        let status = status.as_u16();
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(request.id = id, caller = who, status, took_ms, "{method} {route} answered {status}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harmless_id_is_taken_over_and_another_replaced() {
        let of = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(value).expect("a header"));
            request_id(&headers)
        };
        assert_eq!(of(b"trace-7_A"), "trace-7_A");
        for hostile in [&b""[..], b"a b", b"a\"b", "ü".as_bytes(), &[b'a'; 65]] {
            assert!(of(hostile).starts_with("req_"), "{hostile:?}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
