//! What can go wrong, each done to real processes.

pub(crate) mod broker;
pub(crate) mod cluster;
pub(crate) mod producer;
pub(crate) mod recorders;
pub(crate) mod stores;
pub(crate) mod workers;

use std::pin::Pin;

use anyhow::{Result, ensure};

use crate::scene::Scene;

/// A fault under way.
///
/// * returns, when it is healed, how many faults may have caught one delivery.
pub(crate) type Striking<'s> = Pin<Box<dyn Future<Output = Result<usize>> + 's>>;

/// A broker that is killed, or whose connections break, may forget two acknowledgements of one delivery: that of the
/// event, and that of a waiting copy.
pub(crate) const FORGOTTEN_MAX: usize = 2;

/// Lets a fault last as long as the scene is held, and insists that it was felt.
async fn felt(scene: &Scene) -> Result<()> {
    scene.hold().await;
    let unconfirmed = scene.publisher.unconfirmed();
    ensure!(0 < unconfirmed, "the broker took everything, as if there were no fault");
    Ok(())
}
