//! What is measured: throwaway servers, a full log, and a `bellhop api` in front of it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{
    Attempt, Decided, DeliveryStateName, Mode, Record, Records, RequestId, WebhookId, decode_batch,
};
use bellhop_store::{
    Author, DeliveryFilter, LogEntry, NewRecovery, RecoveryFilter, SealingKeys, ServerUrl, Store,
    StoreOptions,
};
use bellhop_tests::appointment::ORGANISATION;
use bellhop_tests::ground::Ground;
use bellhop_tests::http;
use bellhop_tests::machine::Machine;
use bellhop_tests::measuring::role::Role;
use bellhop_tests::measuring::seed::{self, Seed};
use bellhop_tests::measuring::told::{Told, kept_for};
use bellhop_tests::operator::{Operator, Registration};
use bellhop_tests::patience::eventually;
use bellhop_tests::place::Place;
use bellhop_tests::stack::{Service, Stack};
use bellhop_tests::tab::Tab;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::process::Command;
use tokio_postgres::Client;

use crate::visit::Visit;

/// How many webhooks share what the hot one does not get; with it, as many as an organisation may have.
const QUIET_WEBHOOKS: usize = 24;

/// Bounds that are not to be measured.
const SETTINGS: [(&str, &str); 4] = [
    ("BELLHOP_API_KEY_REQUESTS_PER_SECOND", "100000"),
    ("BELLHOP_API_KEY_REQUESTS_BURST", "100000"),
    ("BELLHOP_API_ADDRESS_REQUESTS_PER_SECOND", "100000"),
    ("BELLHOP_API_ADDRESS_REQUESTS_BURST", "100000"),
];

/// How each webhook fared in each five minutes of thirty days, for charts.
const FILL_RATES: &str = "
    INSERT INTO webhook_rates (webhook, slot, mode, organisation, made, taken, latency)
    SELECT webhooks.id, slot, 'live', webhooks.organisation, 100, 98, '{0,0,50,30,10,5,2,1,1,1,0,0,0}'
    FROM webhooks CROSS JOIN generate_series(date_trunc('hour', now()) - interval '30 days', now(), interval '5 minutes') AS slot
    WHERE webhooks.mode = 'live'
    ON CONFLICT DO NOTHING";

/// Everything ends with it.
pub(crate) struct Stage {
    /// The webhook that half of all deliveries are to.
    pub(crate) hot: String,
    /// A delivery with three requests and a payload, and the last of them.
    pub(crate) delivery: String,
    pub(crate) request: String,
    /// A recovery that waits for a recorder.
    pub(crate) recovery: String,
    /// The appointment of one of the deliveries.
    pub(crate) appointment: String,
    /// A place in the middle of the list.
    pub(crate) cursor: String,
    /// The dialog's path and query by which a week is counted, below the webhook's.
    pub(crate) count_query: String,
    /// Where this runs.
    pub(crate) machine: Machine,
    address: SocketAddr,
    key: String,
    _api: Role,
    _stack: Stack,
    _ground: Ground,
}

impl Stage {
    /// Starts and fills everything; some minutes.
    pub(crate) async fn set(folder: &Path, deliveries: usize) -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("bellhop");
        ensure!(binary.exists(), "{} is missing: `make bench-console` builds it", binary.display());
        let ground = Ground::prepare()?;
        let stack = Stack::start(&ground, &Service::ALL).await?;
        let machine = Machine::describe(&stack).await?;
        let place = Place::make(stack.addresses().clone(), &SETTINGS).await?;
        let operator = Operator::new(&binary, &place);
        operator.prepare().await?;
        let store = open(&place)?;
        let hot = register(&operator, "hot").await?;
        let mut quiet = Vec::new();
        for number in 0..QUIET_WEBHOOKS {
            quiet.push(register(&operator, &format!("quiet/{number}")).await?);
        }
        let tables = place.postgres().await?;
        let seed = Seed { organisation: ORGANISATION, hot: &hot, quiet: &quiet, deliveries };
        seed::fill(&store, &tables, &seed).await.context("fill the log")?;
        tables.execute(FILL_RATES, &[]).await.context("fill the rates")?;
        let (delivery, request) = exhausted(&store, &hot).await.context("tell of an exhausted delivery")?;
        let week = OffsetDateTime::now_utc() - time::Duration::days(7);
        let recovery = recovery(&store, &hot, week).await.context("begin a recovery")?;
        tables.batch_execute("VACUUM (ANALYZE)").await?;
        let key = operator.create_key("live", "administrator").await?;
        let (api, address) = serve(&binary, &place, folder).await?;
        Ok(Self {
            appointment: appointment(&tables, &hot).await?,
            cursor: middle(&store, &hot).await?,
            count_query: format!(
                "/recover?since={}&states=exhausted&states=cancelled",
                week.format(&Rfc3339)?
            ),
            hot,
            delivery,
            request,
            recovery,
            machine,
            address,
            key,
            _api: api,
            _stack: stack,
            _ground: ground,
        })
    }

    /// Somebody who has signed in.
    pub(crate) async fn visit(&self) -> Result<Visit> {
        let mut tab = Tab::open(&format!("http://{}", self.address).parse()?);
        tab.sign_in(&self.key).await?;
        let cookie = tab.cookie().context("a session has a cookie")?.to_owned();
        Visit::begin(self.address, &cookie, tab.csrf(), &self.key).await
    }
}

async fn register(operator: &Operator, name: &str) -> Result<String> {
    let url = format!("https://hooks.example.com/{name}");
    Ok(operator.register(&Registration { mode: "live", ..Registration::test(&url) }).await?.id)
}

fn open(place: &Place) -> Result<Store> {
    let keys = SealingKeys::parse(&place.addresses().sealing_key)?;
    let (postgres, redis) = (ServerUrl::new(place.postgres_url()), ServerUrl::new(place.redis_url()));
    Ok(Store::open(&StoreOptions::new(postgres, redis, keys))?)
}

/// Starts the API, and gives where it listens.
async fn serve(binary: &Path, place: &Place, folder: &Path) -> Result<(Role, SocketAddr)> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let mut command = Command::new(binary);
    command.arg("api").envs(place.environment()).env("BELLHOP_API_LISTEN", address.to_string());
    let api = Role::start("api", &command, &folder.join("console-api.log"))?;
    let answers = async || {
        let response = http::get(&format!("http://{address}/openapi.json")).await?;
        Ok((response.status == 200).then_some(()))
    };
    eventually("the API to answer", answers).await?;
    Ok((api, address))
}

/// Tells of a delivery whose three attempts failed, as a worker and a recorder would.
///
/// * returns the delivery and its last request.
async fn exhausted(store: &Store, hot: &str) -> Result<(String, String)> {
    let webhook: WebhookId = hot.parse()?;
    let told = Told::new(Mode::Live, "evt_exhausted", &webhook)?;
    let begun_at = OffsetDateTime::now_utc() - Duration::from_secs(3_600);
    let mut records = Records::default();
    records.push_event(&told.event, &told.body, begun_at);
    let mut last: Option<RequestId> = None;
    for number in 1..=3 {
        let at = begun_at + time::Duration::minutes(number);
        let mut made = told.attempt(at);
        made.attempt = Attempt::try_from(number)?;
        (made.status, made.outcome) = (Some(503), "5xx".into());
        made.verdict = if number == 3 {
            Decided::Exhausted
        } else {
            Decided::Retry { at_us: made.started_at_us + 60_000_000 }
        };
        last = Some(made.request);
        records.push_attempt(&made);
    }
    let decoded: Vec<Record> = decode_batch(&records.into_message())?;
    let entries: Vec<LogEntry> = decoded.into_iter().map(LogEntry::new).collect::<Result<_, _>>()?;
    store.write_log(&entries, kept_for(90)).await?;
    let last = last.context("three were made")?;
    Ok((told.addressed.delivery.to_string(), last.to_string()))
}

async fn recovery(store: &Store, hot: &str, since: OffsetDateTime) -> Result<String> {
    let filter = RecoveryFilter {
        webhook: hot.parse()?,
        states: vec![DeliveryStateName::Exhausted],
        event_type: None,
        since,
        until: None,
    };
    let new = NewRecovery { filter, pace: 1, patience: Duration::from_secs(30) };
    let organisation = store.organisation(Mode::Live, &ORGANISATION.parse()?, &Author::SYSTEM);
    Ok(organisation.begin_recovery(&new).await?.id.to_string())
}

/// The appointment of a delivery from the middle of the log.
async fn appointment(tables: &Client, hot: &str) -> Result<String> {
    let select = "
        SELECT appointment FROM deliveries JOIN events USING (mode, organisation, event)
        WHERE webhook = $1 AND begun_at < now() - interval '15 days' ORDER BY begun_at DESC LIMIT 1";
    Ok(tables.query_one(select, &[&hot]).await.context("a delivery 15 days old")?.get(0))
}

/// The cursor of a page in the middle of the hot webhook's list, as a page would tell it.
async fn middle(store: &Store, hot: &str) -> Result<String> {
    use base64::Engine as _;
    let until = OffsetDateTime::now_utc() - time::Duration::days(15);
    let filter =
        DeliveryFilter { webhook: Some(hot.parse()?), until: Some(until), ..DeliveryFilter::default() };
    let found = store.deliveries(&filter, 1).await?;
    let cursor = found.first().context("a delivery 15 days old")?.cursor().to_string();
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(cursor))
}
