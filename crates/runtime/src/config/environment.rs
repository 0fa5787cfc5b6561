//! Names in the environment: those of settings, and those that are none of our business.

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "BELLHOP_";

/// Which variables are not settings although they begin with `BELLHOP_`.
#[derive(Debug)]
pub(super) enum Pattern {
    Name(String),
    Beginning(String),
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(beginning) => Self::Beginning(beginning.to_owned()),
            None => Self::Name(text.to_owned()),
        }
    }

    pub(super) fn covers(&self, name: &str) -> bool {
        match self {
            Self::Name(whole) => whole == name,
            Self::Beginning(beginning) => name.starts_with(beginning),
        }
    }
}

/// The variable that overrides `[section] key`.
pub(super) fn variable_name(section: &str, key: &str) -> String {
    format!("{PREFIX}{section}_{key}").to_uppercase()
}

/// Tells whether Kubernetes made this variable for a service in the same namespace.
///
/// A service `bellhop-api` puts `BELLHOP_API_SERVICE_HOST`, `BELLHOP_API_PORT=tcp://10.0.0.7:80` and their
/// like into every pod that does not turn service links off; they are nobody's typing errors.
///
/// Source: Kubernetes documentation, "Service: Environment variables".
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let is_port =
        name.split_once("_PORT_").is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_service =
        name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_");
    is_service || is_port || (is_address && name.ends_with("_PORT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_named_after_section_and_key() {
        assert_eq!(variable_name("sender", "request_timeout"), "BELLHOP_SENDER_REQUEST_TIMEOUT");
    }

    #[test]
    fn a_pattern_covers_its_name_or_its_beginning() {
        let cases = [
            ("BELLHOP_CONFIG", "BELLHOP_CONFIG", true),
            ("BELLHOP_CONFIG", "BELLHOP_CONFIGS", false),
            ("BELLHOP_STACK_*", "BELLHOP_STACK_PORT", true),
            ("BELLHOP_STACK_*", "BELLHOP_STICK_PORT", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Pattern::parse(pattern).covers(name), expected, "{pattern} over {name}");
        }
    }

    #[test]
    fn service_links_are_told_from_settings() {
        let cases = [
            ("BELLHOP_API_SERVICE_HOST", "10.0.0.7", true),
            ("BELLHOP_API_SERVICE_PORT", "80", true),
            ("BELLHOP_API_SERVICE_PORT_HTTP", "80", true),
            ("BELLHOP_API_PORT", "tcp://10.0.0.7:80", true),
            ("BELLHOP_API_PORT_80_TCP", "tcp://10.0.0.7:80", true),
            ("BELLHOP_API_PORT_80_TCP_PROTO", "tcp", true),
            ("BELLHOP_API_PORT", "80", false),
            ("BELLHOP_API_LISTEN", "0.0.0.0:80", false),
            ("BELLHOP_API_PORT_RANGE", "1-2", false),
        ];
        for (name, value, expected) in cases {
            assert_eq!(is_service_link(name, value), expected, "{name}={value}");
        }
    }
}
