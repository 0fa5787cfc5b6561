//! A URL that parses names a host that can be asked for, a port, and stays what it is when it is parsed again.
#![no_main]

use bellhop_model::limits::ENDPOINT_URL_BYTES_MAX;
use bellhop_model::{EndpointUrl, Mode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(url) = EndpointUrl::parse(text, Mode::Test) else { return };
    let exposed = url.expose();
    assert!(exposed.len() <= ENDPOINT_URL_BYTES_MAX && exposed.is_ascii());
    assert!(!exposed.contains('#') && !url.host().to_string().contains('@') && url.port() != 0);
    assert_eq!(EndpointUrl::parse(exposed, Mode::Test).as_ref(), Ok(&url), "parsed again it is another");
    assert_eq!(EndpointUrl::parse(text, Mode::Live).is_ok(), url.is_https());
    let origin = EndpointUrl::parse(url.origin(), Mode::Test).expect("an origin is a URL");
    assert_eq!(
        format!("{url} {url:?}"),
        format!("{origin} {origin:?}"),
        "what is shown depends on path or query"
    );
    let _ = url.check_port();
});
