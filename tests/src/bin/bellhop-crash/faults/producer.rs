//! A producer that is killed in the middle of publishing: what it had confirmed must be there.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_tests::appointment::{APPOINTMENT, SCHEDULED};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::scene::Scene;

/// How many producers in turn.
const KILLS: usize = 3;

/// Longest time that one publishes, once it has begun.
const KILL_AFTER_MAX: Duration = Duration::from_millis(50);

/// How long one may take until its first event is confirmed.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// `bellhop publish` is fed without end, and killed.
pub(crate) async fn killed(scene: &mut Scene) -> Result<usize> {
    for _ in 0..KILLS {
        let confirmed = publish_and_kill(scene).await?;
        scene.confirmed.extend(confirmed);
    }
    Ok(0)
}

/// * returns the ids that it printed, each whole line of which is a confirmed event.
async fn publish_and_kill(scene: &Scene) -> Result<Vec<String>> {
    let mut child = scene.program.spawn(&["publish", "--mode", "test", "--type", SCHEDULED, "-"])?;
    let mut stdin = child.stdin.take().context("a producer has a standard input")?;
    let mut stdout = child.stdout.take().context("a producer has a standard output")?;
    let line = format!("{APPOINTMENT}\n");
    let feeding = tokio::spawn(async move { while stdin.write_all(line.as_bytes()).await.is_ok() {} });
    let mut printed = vec![0];
    timeout(BEGIN_TIMEOUT, stdout.read_exact(&mut printed)).await.context("nothing is published")??;
    scene.hold_up_to(KILL_AFTER_MAX).await;
    child.kill().await.context("kill a producer")?;
    stdout.read_to_end(&mut printed).await?;
    feeding.await.context("feed a producer")?;
    let printed = String::from_utf8(printed)?;
    let (whole, _torn) = printed.rsplit_once('\n').context("no event was confirmed")?;
    let confirmed: Vec<String> = whole.lines().map(ToOwned::to_owned).collect();
    ensure!(confirmed.iter().all(|id| id.starts_with("evt_")), "a producer printed no ids: {confirmed:?}");
    Ok(confirmed)
}
