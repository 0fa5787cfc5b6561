//! Hearing of changes: by publish at once, and from the truth within seconds when a publish was missed.

mod changes;
mod listener;

use tokio_util::sync::CancellationToken;

use crate::Store;

impl Store {
    /// Keeps this process's memory true until cancelled. Whoever resolves subscriptions runs this once.
    ///
    /// Two things run side by side. A listener hears what writers publish. A look into PostgreSQL every 2 s finds what
    /// they could not publish, and removes what is older from Redis. Neither ever ends by an error; both log one when it
    /// begins and when it is over.
    pub async fn watch(&self, cancel: CancellationToken) {
        let watching = async { tokio::join!(listener::run(&self.inner), changes::run(&self.inner)) };
        tokio::select! {
            () = cancel.cancelled() => {}
            _ = watching => {}
        }
    }
}
