//! Reading a secret: from its value, or from a file of its own.

use std::path::{Path, PathBuf};

use super::form::Given;
use super::problem::Origin;
use super::{Sensitive, read_bounded};

/// Largest secret; a key or a URL is a thousandth of it.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// A secret as one layer gives it: itself, the file that holds it, or both by mistake.
pub(super) struct GivenSecret {
    pub(super) origin: Origin,
    source: SecretSource,
}

enum SecretSource {
    Value(Given),
    File(Given),
    Both,
}

impl GivenSecret {
    pub(super) fn new(value: Option<(Origin, Given)>, file: Option<(Origin, Given)>) -> Option<Self> {
        let (origin, source) = match (value, file) {
            (None, None) => return None,
            (Some((origin, value)), None) => (origin, SecretSource::Value(value)),
            (None, Some((origin, path))) => (origin, SecretSource::File(path)),
            (Some((origin, _)), Some(_)) => (origin, SecretSource::Both),
        };
        Some(Self { origin, source })
    }

    pub(super) fn read(self) -> Result<Sensitive, String> {
        match self.source {
            SecretSource::Value(value) => {
                value.text().map(Sensitive::new).ok_or_else(|| "must be a text that is not empty".to_owned())
            }
            SecretSource::File(path) => {
                let path = path.text().map(PathBuf::from).ok_or("must name a file that holds it")?;
                read_secret(&path)
            }
            SecretSource::Both => {
                Err("is given twice: set either the value or the file that holds it".to_owned())
            }
        }
    }
}

/// The path is not repeated: it may be the secret itself, put into the wrong variable.
fn read_secret(path: &Path) -> Result<Sensitive, String> {
    let text = read_bounded(path, SECRET_BYTES_MAX)
        .map_err(|error| format!("names a file that cannot be read: {error}"))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err("names a file that is empty".to_owned());
    }
    Ok(Sensitive::new(secret))
}
