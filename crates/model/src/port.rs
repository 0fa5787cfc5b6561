//! Ports that no webhook is called on.

use crate::EndpointUrl;

/// A port on which webhooks are not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "port {port} belongs to another protocol and is never called: let the server listen on another one, such as 443"
)]
pub struct UncallablePort {
    /// The port.
    pub port: u16,
}

/// Ports of protocols that may take a line of an HTTP request for a command of their own, in ascending order: whoever
/// names them in a URL has us talk to a mail server, a printer or a remote shell.
///
/// Source: the Fetch standard, "bad port", as of 2025. Browsers refuse the same ones, so that no web server is there.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// Judges a port: when a webhook is registered, and when it is called.
///
/// [`EndpointUrl::parse`] does not ask: it also reads what was registered before, and must go on doing so.
///
/// # Errors
/// [`UncallablePort`], whose text is fit for the organisation.
pub fn check_port(port: u16) -> Result<(), UncallablePort> {
    if BAD_PORTS.contains(&port) { Err(UncallablePort { port }) } else { Ok(()) }
}

impl EndpointUrl {
    /// Judges the port as [`check_port`] does.
    ///
    /// # Errors
    /// [`UncallablePort`] when it is one that is never called.
    pub fn check_port(&self) -> Result<(), UncallablePort> {
        check_port(self.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    #[test]
    fn ports_of_other_protocols_are_refused_and_web_servers_are_not() {
        for port in [0, 1, 22, 25, 53, 110, 139, 389, 465, 587, 2049, 6000, 6667, 10080] {
            assert_eq!(check_port(port), Err(UncallablePort { port }));
        }
        for port in [80, 443, 81, 591, 3000, 4443, 5000, 8000, 8080, 8443, 9000, 32768, 65535] {
            assert_eq!(check_port(port), Ok(()), "{port}");
        }
        assert!(BAD_PORTS.is_sorted_by(|one, next| one < next), "each once");
    }

    #[test]
    fn a_url_is_judged_by_the_port_it_names_or_implies() {
        let judged = |text: &str| EndpointUrl::parse(text, Mode::Test).expect(text).check_port();
        for text in ["https://example.org/", "http://example.org/", "https://example.org:8443/"] {
            assert_eq!(judged(text), Ok(()), "{text}");
        }
        for text in ["https://example.org:25/", "http://example.org:0025/"] {
            let refused = judged(text).expect_err(text);
            assert!(refused.to_string().contains("port 25 belongs to another protocol"), "{refused}");
        }
    }
}
