//! The main job once, on real input: three endpoints, three events, every attempt printed as it lands.
//!
//! Expects the local stack's addresses in the environment; `make demo` sees to that.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bellhop_tests::program::{self, Program};
use bellhop_tests::receiver::{Answer, Endpoint, Receiver, Request};
use bellhop_tests::tree;
use bellhop_tests::worker::{Logs, Worker};
use serde_json::Value;

/// The organisation that the fixtures belong to.
const FIXTURE_ORGANISATION: &str = "org_7eUZfyQq3xxxXXXxJlf";

/// What happens, in this order: the type, and the fixture that tells of it.
const EVENTS: [(&str, &str); 3] = [
    ("appointment.created", "appointment.scheduled.json"),
    ("appointment.scheduled", "appointment.scheduled.json"),
    ("appointment.cancelled", "appointment.cancelled.expanded.json"),
];

/// Waits between attempts, so short that a trial ends in seconds.
const WAITS: &str = "1s,2s";

/// Longest wait for the last attempt.
const PATIENCE: Duration = Duration::from_secs(60);

/// An endpoint of the demo: its name, and the status it gives each attempt of an event.
const ENDPOINTS: [(&str, [u16; 3]); 3] =
    [("steady", [200, 200, 200]), ("flaky", [500, 503, 200]), ("broken", [500, 500, 500])];

/// Secrets by endpoint, known once the webhooks are registered.
type Secrets = Arc<OnceLock<BTreeMap<&'static str, String>>>;

/// A registered webhook.
struct Registered {
    name: &'static str,
    id: String,
    secret: String,
    endpoint: Endpoint,
}

#[tokio::main]
async fn main() -> Result<()> {
    let environment: BTreeMap<String, String> =
        std::env::vars().filter(|(name, _)| name.starts_with("BELLHOP_")).collect();
    ensure!(
        environment.contains_key("BELLHOP_AMQP_URL"),
        "the stack's addresses are not in the environment: run `make demo`, or `eval \"$(make -s env)\"` first"
    );
    let binary = program::build().await.context("failed to build bellhop")?;
    let program = Program::new(&binary, environment)
        .with("BELLHOP_RETRY_WAITS", WAITS)
        .with("BELLHOP_WORKER_LANES", "test.fresh,test.slow,test.due")
        .with("BELLHOP_PROBES_LISTEN", "127.0.0.1:0")
        .with("BELLHOP_LOGS_FORMAT", "json");
    say(&program.run(&["migrate"]).await?.succeeded()?.stdout);
    say(&program.run(&["topology"]).await?.succeeded()?.stdout);

    let organisation = format!("org_demo{}", std::process::id());
    let secrets = Secrets::default();
    let receiver = Receiver::start().await?;
    let webhooks = register(&program, &receiver, &organisation, &secrets).await?;
    let worker = Worker::start(&program, Logs::default()).await?;
    println!("one worker is ready; waits between attempts are {WAITS} instead of 30s,10m\n");
    let result = run(&program, &worker, &organisation, &webhooks).await;
    for webhook in &webhooks {
        program.run(&["webhook", "remove", &webhook.id]).await?.succeeded()?;
    }
    let logs = worker.logs().clone();
    worker.drain().await?;
    result.with_context(|| format!("the worker's log ends:\n{}", logs.tail()))
}

/// Registers one Test Mode webhook per endpoint.
async fn register(
    program: &Program,
    receiver: &Receiver,
    organisation: &str,
    secrets: &Secrets,
) -> Result<Vec<Registered>> {
    let mut webhooks = Vec::new();
    let began = Instant::now();
    for (name, statuses) in ENDPOINTS {
        let secrets = Arc::clone(secrets);
        let endpoint = receiver.endpoint_by(name, move |request, _| {
            let status = statuses[usize::from(request.attempt().clamp(1, 3)) - 1];
            print_attempt(began, name, request, status, &secrets);
            Answer::status(status)
        });
        let mut arguments = vec!["webhook", "add", "--mode", "test", "--organisation", organisation];
        arguments.extend(["--url", &endpoint.url, "--output", "json"]);
        arguments.extend(EVENTS.iter().flat_map(|(event_type, _)| ["--event", event_type]));
        let added = program.run(&arguments).await?.succeeded()?;
        let added: Value = serde_json::from_str(&added.stdout).context("`webhook add` printed no JSON")?;
        let text =
            |field: &str| added[field].as_str().map(str::to_owned).context("`webhook add` lacks a field");
        println!("registered {name:<7} {}  {}", text("id")?, endpoint.url);
        webhooks.push(Registered { name, id: text("id")?, secret: text("secret")?, endpoint });
    }
    let known = webhooks.iter().map(|webhook| (webhook.name, webhook.secret.clone())).collect();
    secrets.set(known).ok().context("secrets are set once")?;
    Ok(webhooks)
}

fn print_attempt(began: Instant, name: &str, request: &Request, status: u16, secrets: &Secrets) {
    let secret = secrets.get().and_then(|secrets| secrets.get(name));
    let signature = match secret.map(|secret| request.verify(secret)) {
        Some(Ok(())) => "signature verified".to_owned(),
        Some(Err(error)) => format!("SIGNATURE WRONG: {error:#}"),
        None => "SIGNATURE NOT CHECKED".to_owned(),
    };
    println!(
        "{:6.2}s  {name:<7} {:<22} attempt {}  answered {status}  {signature}  {}",
        began.elapsed().as_secs_f64(),
        request.header("webhook-event"),
        request.attempt(),
        request.webhook_id(),
    );
}

/// Publishes, waits for the last attempt, and checks that everything adds up.
async fn run(program: &Program, worker: &Worker, organisation: &str, webhooks: &[Registered]) -> Result<()> {
    for (event_type, fixture) in EVENTS {
        let path = tree::repository().join(PathBuf::from("crates/model/fixtures").join(fixture));
        let appointment = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let appointment = appointment.replace(FIXTURE_ORGANISATION, organisation);
        let arguments = ["publish", "--mode", "test", "--type", event_type, "--quiet", "-"];
        program.run_with_input(&arguments, appointment.as_bytes()).await?.succeeded()?;
    }
    for (webhook, (_, statuses)) in webhooks.iter().zip(ENDPOINTS) {
        let expected = EVENTS.len() * attempts_until_taken(statuses);
        let waiting = tokio::time::timeout(PATIENCE, webhook.endpoint.await_requests(expected)).await;
        waiting.with_context(|| format!("`{}` did not see {expected} requests in time", webhook.name))??;
    }
    summarise(worker, webhooks).await
}

/// Prints the summary and refuses one that does not add up.
async fn summarise(worker: &Worker, webhooks: &[Registered]) -> Result<()> {
    let owed = EVENTS.len() * webhooks.len();
    let exhausted_expected = EVENTS.len() * ENDPOINTS.iter().filter(|(_, s)| !s.contains(&200)).count();
    let deadline = Instant::now() + PATIENCE;
    let (delivered, exhausted) = loop {
        let metrics = worker.metrics().await?;
        let ended =
            |end: &str| count(&metrics, &format!("bellhop_deliveries_total{{end=\"{end}\",mode=\"test\","));
        let (delivered, exhausted) = (ended("delivered"), ended("exhausted"));
        if delivered + exhausted == owed || deadline <= Instant::now() {
            break (delivered, exhausted);
        }
        // waits: for the last answer to be booked, which nothing but the metrics tells.
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let requests: Vec<Request> = webhooks.iter().flat_map(|webhook| webhook.endpoint.requests()).collect();
    let verified = webhooks
        .iter()
        .flat_map(|webhook| {
            webhook.endpoint.requests().into_iter().map(|r| r.verify(&webhook.secret).is_ok())
        })
        .filter(|is_verified| *is_verified)
        .count();
    let attempts: usize =
        ENDPOINTS.iter().map(|(_, statuses)| EVENTS.len() * attempts_until_taken(*statuses)).sum();
    println!("\nevents      {:>3}", EVENTS.len());
    println!("deliveries  {owed:>3}  = {delivered} delivered + {exhausted} exhausted");
    println!(
        "attempts    {:>3}  of {attempts} expected, {verified} with a verified signature",
        requests.len()
    );
    let adds_up = delivered + exhausted == owed
        && exhausted == exhausted_expected
        && requests.len() == attempts
        && verified == attempts;
    if !adds_up {
        bail!("the summary does not add up");
    }
    println!(
        "\nEverything adds up. The exhausted deliveries lie in the queue `bellhop.log`, payload and reason included."
    );
    Ok(())
}

/// How many attempts an event takes at an endpoint that answers like this.
fn attempts_until_taken(statuses: [u16; 3]) -> usize {
    statuses.iter().position(|status| *status == 200).map_or(statuses.len(), |place| place + 1)
}

/// The sum of a counter's series that begin alike.
fn count(metrics: &str, beginning: &str) -> usize {
    let series = metrics.lines().filter(|line| line.starts_with(beginning));
    series.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}

fn say(text: &str) {
    print!("{text}");
}
