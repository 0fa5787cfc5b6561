//! The sealing key of commands that write something with it.

use bellhop_store::Store;

use crate::failure::Failure;

/// Makes sure that the sealing keys are those under which everything stored is sealed.
///
/// What is written under a wrong one opens nowhere else: workers could not sign with the secret, and the API would take the
/// key for a stranger's, or answer nobody.
pub(super) async fn ensure_keys_fit(store: &Store) -> Result<(), Failure> {
    Ok(store.verify_sealing_keys().await.map_err(anyhow::Error::new)?)
}
