//! `bellhop publish`: appointments from files or standard input, published and confirmed.

mod input;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use bellhop_model::{EventError, EventType, Mode, TraceParent};
use bellhop_producer::{NewEvent, Producer};
use clap::Args;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::mpsc;

use self::input::Item;
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// How often progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Appointments read ahead of what is published.
const READ_AHEAD_MAX: usize = 256;

/// Problems that are printed one by one; beyond them only the count tells.
const PROBLEMS_SHOWN_MAX: u64 = 100;

/// What is published, and as what.
#[derive(Debug, Args)]
pub(crate) struct PublishArguments {
    /// live, or test for organisations' staging systems.
    #[arg(long, default_value = "test")]
    mode: Mode,
    /// What happened, such as appointment.scheduled.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: EventType,
    /// The trace that the events belong to, as W3C Trace Context writes it; workers name it in their log.
    #[arg(long, value_name = "00-TRACE-SPAN-FLAGS")]
    traceparent: Option<TraceParent>,
    /// Print nothing for events that were confirmed.
    #[arg(long)]
    quiet: bool,
    /// Appointments: each file one JSON object, or one object a line (NDJSON); `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Publishes everything and reports what was not confirmed.
pub(super) async fn run(file: Option<&Path>, arguments: PublishArguments) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Broker)?;
    let PublishArguments { mode, event_type, traceparent, quiet, files } = arguments;
    if config.catalogue.find(&event_type).is_none() {
        eprintln!("bellhop: note: the platform is not known to fire `{event_type}`; published all the same");
    }
    let producer = Producer::connect(config.broker(), config.producer).await.map_err(anyhow::Error::new)?;
    let (sender, receiver) = mpsc::channel(READ_AHEAD_MAX);
    let reading = tokio::task::spawn_blocking(move || input::read_all(&files, &sender));
    let mut tally = Tally::new(quiet);
    let make = |text: &str| {
        let event = NewEvent::new(&event_type, mode, text)?;
        Ok(match traceparent {
            Some(parent) => event.traced(parent),
            None => event,
        })
    };
    publish_all(&producer, make, receiver, &mut tally).await;
    reading.await.map_err(anyhow::Error::new)?;
    producer.close().await;
    tally.finish()
}

/// Publishes appointments as they are read, a few hundred at a time.
async fn publish_all(
    producer: &Producer,
    make: impl Fn(&str) -> Result<NewEvent, EventError>,
    items: mpsc::Receiver<Item>,
    tally: &mut Tally,
) {
    let publish = async |text: String| {
        let event = make(&text).map_err(|error| error.to_string())?;
        producer.publish(&event).await.map_err(|error| error.to_string())?;
        Ok(event.id().clone())
    };
    let items = stream::unfold(items, async |mut items| Some((items.recv().await?, items)));
    let published = items
        .map(async |Item { place, text }| match text {
            Ok(text) => (place, publish(text).await),
            Err(problem) => (place, Err(problem)),
        })
        .buffer_unordered(READ_AHEAD_MAX);
    let mut published = pin!(published);
    while let Some((place, result)) = published.next().await {
        match result {
            Ok(id) => tally.confirmed(id.as_str()),
            Err(problem) => tally.failed(&place, &problem),
        }
    }
}

/// Counts, and says so.
struct Tally {
    quiet: bool,
    confirmed: u64,
    failed: u64,
    shown_at: Instant,
}

impl Tally {
    fn new(quiet: bool) -> Self {
        Self { quiet, confirmed: 0, failed: 0, shown_at: Instant::now() }
    }

    fn confirmed(&mut self, id: &str) {
        self.confirmed += 1;
        if !self.quiet {
            println!("{id}");
        }
        self.show_progress();
    }

    fn failed(&mut self, place: &str, problem: &str) {
        self.failed += 1;
        if self.failed <= PROBLEMS_SHOWN_MAX {
            eprintln!("bellhop: {place}: {problem}");
        }
        self.show_progress();
    }

    fn show_progress(&mut self) {
        if PROGRESS_EVERY <= self.shown_at.elapsed() && (self.quiet || !std::io::stdout().is_terminal()) {
            self.shown_at = Instant::now();
            eprintln!("bellhop: {} confirmed, {} failed so far", self.confirmed, self.failed);
        }
    }

    fn finish(self) -> Result<(), Failure> {
        let Self { confirmed, failed, .. } = self;
        match (confirmed, failed) {
            (0, 0) => Err(Failure::Request("nothing to publish: the input holds no appointment".to_owned())),
            (_, 0) => {
                eprintln!("bellhop: published {confirmed} event(s), all confirmed");
                Ok(())
            }
            _ => Err(anyhow!("{failed} of {} event(s) were not confirmed as published; correct what is named above and publish those again", confirmed + failed).into()),
        }
    }
}
