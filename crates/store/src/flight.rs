//! Single flight: whoever asks what is being asked already waits for the same answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt as _, Shared, WeakShared};

use crate::scope::Scope;
use crate::{Subscriptions, Unresolved};

/// What a flight brings back, for all who wait.
pub(crate) type Resolution = Result<Arc<Subscriptions>, Unresolved>;

/// The reads under way, at most one per organisation and mode.
#[derive(Clone, Default)]
pub(crate) struct Flights(Arc<Mutex<Board>>);

#[derive(Default)]
struct Board {
    airborne: HashMap<Scope, (u64, WeakShared<BoxFuture<'static, Resolution>>)>,
    departures: u64,
}

/// Takes the flight off the board when it has landed, or when everybody stopped waiting.
struct Landing {
    flights: Flights,
    scope: Scope,
    number: u64,
}

impl Flights {
    /// Joins the read of an organisation that is under way, or starts one.
    ///
    /// It moves as long as anybody waits; nothing runs on behalf of nobody.
    pub(crate) async fn join(
        &self,
        scope: &Scope,
        read: impl Future<Output = Resolution> + Send + 'static,
    ) -> Resolution {
        self.board(read, scope).await
    }

    fn board(
        &self,
        read: impl Future<Output = Resolution> + Send + 'static,
        scope: &Scope,
    ) -> Shared<BoxFuture<'static, Resolution>> {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let airborne = board.airborne.get(scope).and_then(|(_, flight)| flight.upgrade());
        // One that has landed says what was true before this question was asked.
        if let Some(flight) = airborne.filter(|flight| flight.peek().is_none()) {
            return flight;
        }
        board.departures += 1;
        let landing = Landing { flights: self.clone(), scope: scope.clone(), number: board.departures };
        let flight = async move {
            let _landing = landing;
            read.await
        }
        .boxed()
        .shared();
        let weak = flight.downgrade().expect("it has not been polled, so it has not ended");
        let number = board.departures;
        board.airborne.insert(scope.clone(), (number, weak));
        flight
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut board = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        if board.airborne.get(&self.scope).is_some_and(|(number, _)| *number == self.number) {
            board.airborne.remove(&self.scope);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use bellhop_model::Mode;
    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    fn scope() -> Scope {
        Scope::new(Mode::Live, &"org_a".parse().expect("valid"))
    }

    fn counted(
        reads: &Arc<AtomicU32>,
        gate: &Arc<Notify>,
    ) -> impl Future<Output = Resolution> + Send + 'static {
        let (reads, gate) = (Arc::clone(reads), Arc::clone(gate));
        async move {
            reads.fetch_add(1, Ordering::Relaxed);
            gate.notified().await;
            Ok(Arc::new(Subscriptions::new(1, Vec::new())))
        }
    }

    #[tokio::test]
    async fn many_who_ask_at_once_share_one_read_and_the_board_is_empty_afterwards() {
        let (flights, reads, gate) =
            (Flights::default(), Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let asking: Vec<_> = (0..100).map(|_| flights.board(counted(&reads, &gate), &scope())).collect();
        gate.notify_one();
        for result in join_all(asking).await {
            assert_eq!(result.expect("resolved").version, 1);
        }
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        assert!(flights.0.lock().expect("not poisoned").airborne.is_empty());
    }

    #[tokio::test]
    async fn a_flight_that_everybody_left_is_not_joined() {
        let (flights, reads, gate) =
            (Flights::default(), Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let scope = scope();
        let mut left = Box::pin(flights.join(&scope, counted(&reads, &gate)));
        assert!(futures_util::poll!(&mut left).is_pending());
        drop(left);
        assert!(flights.0.lock().expect("not poisoned").airborne.is_empty());
        gate.notify_one();
        flights.join(&scope, counted(&reads, &gate)).await.expect("resolved");
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }
}
