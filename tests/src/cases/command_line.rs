//! The command line with wrong surroundings: one clear message, its remedy, an exit code, and no long wait.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED};
use crate::context::Context;
use crate::place::Place;
use crate::program::{Finished, Program};

/// Longest that anybody should have to wait for bad news.
const BAD_NEWS_MAX: Duration = Duration::from_secs(30);

/// A command that needs a server, and what it must say.
struct Need {
    arguments: &'static [&'static str],
    /// The variable with the server's address.
    variable: &'static str,
    /// The remedy when nobody listens there.
    remedy_away: &'static str,
    /// The remedy when the password is wrong.
    remedy_refused: &'static str,
}

const BROKER: Need = Need {
    arguments: &["topology"],
    variable: "BELLHOP_AMQP_URL",
    remedy_away: "is it running?",
    remedy_refused: "check both in the AMQP URL",
};

const DATABASE: Need = Need {
    arguments: &["migrate"],
    variable: "BELLHOP_POSTGRES_URL",
    remedy_away: "check that it runs there",
    remedy_refused: "check the user, password and database in its URL",
};

const NEEDS: [Need; 4] = [
    BROKER,
    Need { arguments: &["publish", "--mode", "test", "--type", SCHEDULED, "-"], ..BROKER },
    DATABASE,
    Need { arguments: &["webhook", "list"], ..DATABASE },
];

/// Nobody listens where the servers should be.
pub async fn servers_that_are_away_are_named_with_a_remedy(context: Context) -> Result<()> {
    let place = context.bare_place().await?;
    for need in &NEEDS {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let url = with_port(&place.environment()[need.variable], free.port())?;
        let finished = bad_news(&context, &place, need, &url).await?;
        finished.complains_of(&[&free.to_string(), need.remedy_away])?;
    }
    Ok(())
}

/// The servers are there and refuse.
pub async fn wrong_passwords_are_told_and_not_repeated(context: Context) -> Result<()> {
    let place = context.bare_place().await?;
    for need in &NEEDS {
        let url = place.environment()[need.variable].replace("bellhop-local", "wr0ng-s3cret");
        let finished = bad_news(&context, &place, need, &url).await?;
        let finished = finished.complains_of(&[need.remedy_refused])?;
        ensure!(!finished.stderr.contains("wr0ng-s3cret"), "the password is told: {}", finished.stderr);
    }
    Ok(())
}

/// Runs a command with another address for the server it needs.
async fn bad_news(context: &Context, place: &Place, need: &Need, url: &str) -> Result<Finished> {
    let program = Program::new(&context.binary().await?, place.environment()).with(need.variable, url);
    let finished = program.run_with_input(need.arguments, APPOINTMENT.as_bytes()).await?;
    ensure_bad_news(&finished, need.arguments)?;
    Ok(finished)
}

/// A worker can live without Redis, so that it says so must do.
pub async fn a_worker_says_that_redis_refuses_its_password(context: Context) -> Result<()> {
    let site = context.site().await?;
    let url = site.place.redis_url().replace("bellhop-local", "wr0ng-s3cret");
    let worker =
        site.launch_worker_as(&site.operator.program().clone().with("BELLHOP_REDIS_URL", &url)).await?;
    worker.logs().await_line("Redis").await?;
    let logs = worker.logs().lines().join("\n");
    ensure!(!logs.contains("wr0ng-s3cret"), "the password is told: {logs}");
    Ok(())
}

/// Each is refused with its reason, and none is kept.
pub async fn a_wrong_url_registers_nothing(context: Context) -> Result<()> {
    let site = context.site().await?;
    let cases = [
        ("test", "not a url", "absolute URL"),
        ("test", "ftp://example.org/hook", "scheme `ftp`"),
        ("test", "https://user:t0ken@example.org/hook", "user information"),
        ("live", "http://example.org/hook", "scheme `http`"),
    ];
    let program = site.operator.program();
    for (mode, url, complaint) in cases {
        let add = [
            "webhook",
            "add",
            "--mode",
            mode,
            "--organisation",
            ORGANISATION,
            "--event",
            SCHEDULED,
            "--url",
            url,
        ];
        let finished = program.run(&add).await?;
        ensure!(finished.code.is_some_and(|code| code != 0), "`{url}` was registered: {}", finished.stdout);
        let finished = finished.complains_of(&[complaint])?;
        ensure!(!finished.stderr.contains("t0ken"), "the URL's token is told: {}", finished.stderr);
    }
    let listed = program.run(&["webhook", "list", "--output", "json"]).await?.succeeded()?.stdout;
    ensure!(!listed.contains("wh_"), "a webhook was kept: {listed}");
    Ok(())
}

/// Better now than after three attempts.
pub async fn a_forbidden_address_is_refused_when_it_is_registered(context: Context) -> Result<()> {
    let site = context.site().await?;
    let strict = site.operator.program().clone().without("BELLHOP_SENDER_ALLOW_CIDRS");
    for (url, remedy) in [
        ("http://127.0.0.1/", "allow_cidrs"),
        ("http://2130706433/", "allow_cidrs"),
        ("http://[::1]/", "allow_cidrs"),
        ("http://169.254.169.254/latest", "allow_cidrs"),
        ("https://example.org:25/", "port 25 belongs to another protocol"),
        ("https://example.org:6667/", "let the server listen on another one"),
    ] {
        let add = [
            "webhook",
            "add",
            "--mode",
            "test",
            "--organisation",
            ORGANISATION,
            "--event",
            SCHEDULED,
            "--url",
            url,
        ];
        strict.run(&add).await?.ended_with(2)?.complains_of(&[remedy])?;
    }
    let listed = strict.run(&["webhook", "list", "--output", "json"]).await?.succeeded()?.stdout;
    ensure!(!listed.contains("wh_"), "a webhook was kept: {listed}");
    Ok(())
}

/// Two workers on one machine with the default port.
pub async fn a_health_port_that_is_taken_is_named(context: Context) -> Result<()> {
    let site = context.site().await?;
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = taken.local_addr()?.to_string();
    let program = site.operator.program().clone().with("BELLHOP_PROBES_LISTEN", &address);
    let finished = program.run(&["worker"]).await?;
    ensure_bad_news(&finished, &["worker"])?;
    finished.complains_of(&[&address, "BELLHOP_PROBES_LISTEN"]).map(drop)
}

/// A failure, soon, in few lines, without a backtrace.
fn ensure_bad_news(finished: &Finished, arguments: &[&str]) -> Result<()> {
    let Finished { code, stderr, took, .. } = finished;
    ensure!(*code == Some(1), "{arguments:?} ended with {code:?}: {stderr}");
    ensure!(*took < BAD_NEWS_MAX, "{arguments:?} took {took:?}");
    ensure!(!stderr.contains("panicked") && !stderr.contains("stack backtrace"), "{stderr}");
    ensure!(stderr.lines().count() <= 8, "{arguments:?} tells a novel:\n{stderr}");
    Ok(())
}

fn with_port(url: &str, port: u16) -> Result<String> {
    let mut url = url::Url::parse(url).context("the address of a server")?;
    url.set_port(Some(port)).map_err(|()| anyhow::anyhow!("the address has a port"))?;
    Ok(url.to_string())
}
