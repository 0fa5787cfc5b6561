//! `bellhop topology`: declares what must exist on the broker.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bellhop_broker::{DeclareError, LeftOver, Link, Shards, Spread, Topology, names};

use crate::config::{Config, Needs};
use crate::failure::Failure;

/// Longest wait for all declarations.
const DECLARE_PATIENCE: Duration = Duration::from_secs(60);

/// Declares exchanges, queues and bindings, and sees to it that events reach the shards there are to be.
pub(super) async fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Broker)?;
    let address = config.broker();
    let link = Link::open(address.clone(), "bellhop topology");
    link.connected().await.map_err(anyhow::Error::new)?;
    let topology = Topology::new(&config.worker.ladder, config.worker.shards);
    let declarer = link.declarer();
    let declaring = async {
        let declared = topology.declare(&declarer).await?;
        Ok::<_, DeclareError>((declared, topology.spread_events(&declarer).await?))
    };
    let (declared, spread) = tokio::time::timeout(DECLARE_PATIENCE, declaring)
        .await
        .with_context(|| {
            format!(
                "the broker at {address} did not finish declaring within {DECLARE_PATIENCE:?}; run this again"
            )
        })?
        .map_err(anyhow::Error::new)?;
    link.close().await;
    println!("{} exchanges and {} queues exist on {address}", declared.exchanges, declared.queues);
    for spread in &spread {
        println!("{}", tell(spread));
    }
    Ok(())
}

/// How the events of a mode are spread, and what to do with queues that no event reaches any more.
fn tell(Spread { mode, shards, left_over }: &Spread) -> String {
    let mut told = if *shards == Shards::ONE {
        format!("{mode} events go to `{}`", names::events_queue(*mode, 0))
    } else {
        format!(
            "{mode} events are spread by organisation over {shards} queues, by `{}`",
            names::shards_exchange(*mode)
        )
    };
    for LeftOver { queue, ready } in left_over {
        let _ = write!(
            told,
            "\n  no event goes to `{queue}` any more, where {ready} are ready: leave workers at the larger number of \
             shards until it is empty, then `rabbitmqctl delete_queue {queue}`; `bellhop doctor` says when"
        );
    }
    told
}

#[cfg(test)]
mod tests {
    use bellhop_model::Mode;

    use super::*;

    #[test]
    fn what_is_left_over_is_told_with_what_to_do() {
        let queue = names::events_queue(Mode::Live, 1);
        let left_over = vec![LeftOver { queue: queue.clone(), ready: 7 }];
        let told = tell(&Spread { mode: Mode::Live, shards: Shards::ONE, left_over });
        assert!(told.starts_with("live events go to `bellhop.live.events.0`\n"), "{told}");
        assert!(told.contains(&format!("delete_queue {queue}")) && told.contains('7'), "{told}");
        let shards = Shards::new(4).expect("a few");
        let told = tell(&Spread { mode: Mode::Live, shards, left_over: Vec::new() });
        assert_eq!(told, "live events are spread by organisation over 4 queues, by `bellhop.live.shards`");
    }
}
