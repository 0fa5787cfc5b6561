//! Everybody who plays a part in one half: the workers that are measured, and whoever is there for its scenario's sake.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use bellhop_tests::place::Place;

use crate::fleet::Fleet;
use crate::recovering::Recovering;

/// The processes of one half. Dropping it kills them.
pub(crate) struct Cast {
    /// The workers that are measured.
    pub(crate) fleet: Fleet,
    /// The recorders, where the plan has any, and what they recover.
    pub(crate) recorders: Vec<Recovering>,
    /// A worker in a place of its own, where the plan has streams apart.
    apart: Option<Fleet>,
}

impl Cast {
    /// Starts the workers and waits until they are ready.
    ///
    /// * `lanes`: which lanes each of those that are measured serves; none is all.
    /// * `apart`: the place of a worker that is not measured.
    /// * `logs`: the folder for their logs.
    pub(crate) async fn start(
        binary: &Path,
        (place, lanes): (&Place, &[Option<&str>]),
        apart: Option<&Place>,
        logs: &Path,
    ) -> Result<Self> {
        let fleet = Fleet::start(binary, place, lanes, logs).await?;
        let apart = match apart {
            None => None,
            Some(place) => Some(Fleet::start(binary, place, &[None], &logs.join("apart")).await?),
        };
        Ok(Self { fleet, recorders: Vec::new(), apart })
    }

    /// CPU time so far of everybody but the workers that are measured.
    pub(crate) fn others_cpu(&self) -> Result<Duration> {
        let apart = self.apart.as_ref().map(Fleet::cpu).transpose()?;
        let recorders = self.recorders.iter().map(Recovering::cpu).sum::<Result<Duration>>()?;
        Ok(apart.unwrap_or_default() + recorders)
    }

    /// Tells all to stop, and waits until they have.
    pub(crate) async fn stop(self) -> Result<()> {
        self.fleet.stop().await?;
        if let Some(apart) = self.apart {
            apart.stop().await?;
        }
        for recorder in self.recorders {
            recorder.stop().await?;
        }
        Ok(())
    }
}
