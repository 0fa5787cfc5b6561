//! Every route that the description tells of, tried by everybody.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bellhop_model::{
    ApiKey, DeliveryId, DeliveryStateName, EndpointUrl, Mode, PayloadLevel, Records, RecoveryId, RequestId,
    Role, WebhookId,
};
use bellhop_store::{NewRecovery, NewWebhook, RecoveryFilter};
use hyper::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::ground::{Ground, OPERATOR, limited_key};
use crate::api::{Answer, Call};
use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED};
use crate::cases::recording::records::Told;
use crate::context::Context;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Developer,
    Administrator,
    Operator,
}

/// How a route is tried, and what it answers.
struct Trial {
    method: &'static str,
    path: &'static str,
    needs: Needs,
    body: fn(&Fixture) -> Value,
    /// To whom it opens.
    ok: u16,
    /// To a key of the other mode and to one of another organisation, of sufficient role.
    foreign: [u16; 2],
}

fn nothing(_: &Fixture) -> Value {
    Value::Null
}

/// A route that is missing here makes the case fail: whoever adds one says who may use it.
const TRIALS: &[Trial] = &[
    trial("get", "/v1/webhooks", Needs::Developer, nothing, (200, [200, 200])),
    trial(
        "post",
        "/v1/webhooks",
        Needs::Developer,
        |fixture| json!({ "url": format!("https://new.example/{}", fixture.number), "events": [SCHEDULED] }),
        (201, [201, 201]),
    ),
    trial("get", "/v1/webhooks/{id}", Needs::Developer, nothing, (200, [404, 404])),
    trial(
        "patch",
        "/v1/webhooks/{id}",
        Needs::Developer,
        |_| json!({ "description": "x" }),
        (200, [404, 404]),
    ),
    trial("delete", "/v1/webhooks/{id}", Needs::Developer, nothing, (204, [404, 404])),
    trial("post", "/v1/webhooks/{id}/enable", Needs::Developer, nothing, (200, [404, 404])),
    trial("post", "/v1/webhooks/{id}/disable", Needs::Developer, nothing, (200, [404, 404])),
    trial("post", "/v1/webhooks/{id}/secret/reveal", Needs::Developer, nothing, (200, [404, 404])),
    trial("post", "/v1/webhooks/{id}/secret/rotate", Needs::Developer, |_| json!({}), (200, [404, 404])),
    trial(
        "post",
        "/v1/webhook-copies",
        Needs::Developer,
        |fixture| json!({ "from": fixture.live_webhook.as_str(), "url": format!("https://copy.example/{}", fixture.number) }),
        (201, [400, 404]),
    ),
    trial(
        "post",
        "/v1/webhooks/{id}/test-events",
        Needs::Developer,
        |_| json!({ "type": SCHEDULED }),
        (202, [404, 404]),
    ),
    trial("get", "/v1/event-types", Needs::Developer, nothing, (200, [200, 200])),
    trial("get", "/v1/event-types/{type}", Needs::Developer, nothing, (200, [200, 200])),
    trial(
        "post",
        "/v1/events",
        Needs::Developer,
        |_| json!({ "type": SCHEDULED, "data": { "id": "apt_1", "organisationId": ORGANISATION } }),
        (202, [202, 422]),
    ),
    trial("get", "/v1/events", Needs::Developer, nothing, (200, [200, 200])),
    trial("get", "/v1/events/{id}", Needs::Developer, nothing, (200, [404, 404])),
    trial("post", "/v1/events/{id}/expunge", Needs::Administrator, nothing, (200, [404, 404])),
    trial("get", "/v1/webhooks/{id}/deliveries", Needs::Developer, nothing, (200, [404, 404])),
    trial("get", "/v1/deliveries/{id}", Needs::Developer, nothing, (200, [404, 404])),
    trial("post", "/v1/deliveries/{id}/redeliver", Needs::Developer, |_| json!({}), (202, [404, 404])),
    trial(
        "post",
        "/v1/deliveries/{id}/requests/{request}/reveal",
        Needs::Developer,
        nothing,
        (200, [404, 404]),
    ),
    trial("get", "/v1/webhooks/{id}/rates", Needs::Developer, nothing, (200, [404, 404])),
    trial("get", "/v1/webhooks/{id}/recoveries", Needs::Developer, nothing, (200, [404, 404])),
    trial(
        "post",
        "/v1/webhooks/{id}/recoveries",
        Needs::Developer,
        |_| json!({ "since": "1970-01-01T00:00:00Z" }),
        (202, [404, 404]),
    ),
    trial("get", "/v1/recoveries/{id}", Needs::Developer, nothing, (200, [404, 404])),
    trial("post", "/v1/recoveries/{id}/cancel", Needs::Developer, nothing, (200, [404, 404])),
    trial("get", "/v1/keys", Needs::Administrator, nothing, (200, [200, 200])),
    trial(
        "post",
        "/v1/keys",
        Needs::Administrator,
        |_| json!({ "role": "developer", "name": "x" }),
        (201, [201, 201]),
    ),
    trial("get", "/v1/keys/{id}", Needs::Administrator, nothing, (200, [404, 404])),
    trial("delete", "/v1/keys/{id}", Needs::Administrator, nothing, (200, [404, 404])),
    trial("get", "/v1/audit", Needs::Administrator, nothing, (200, [200, 200])),
    trial(
        "post",
        "/v1/console/sign-ins",
        Needs::Operator,
        |_| json!({ "user": "anna", "role": "developer" }),
        (201, [403, 403]),
    ),
];

const fn trial(
    method: &'static str,
    path: &'static str,
    needs: Needs,
    body: fn(&Fixture) -> Value,
    (ok, foreign): (u16, [u16; 2]),
) -> Trial {
    Trial { method, path, needs, body, ok, foreign }
}

/// Somebody who tries.
struct Somebody {
    who: &'static str,
    authorization: Option<String>,
    is_operator: bool,
    standing: Standing,
}

/// Who they are to the API.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Nobody,
    OtherRole,
    Has(Needs),
    /// An administrator of the other mode, or of another organisation.
    Foreign(usize),
}

/// What one trial works on; made anew for each.
struct Fixture {
    number: usize,
    webhook: WebhookId,
    live_webhook: WebhookId,
    key: (String, bellhop_model::ApiKeyId),
    logged: Logged,
}

/// What the log tells of the webhook, if the trial is about that: a delivery that is exhausted, and a recovery.
struct Logged {
    event: String,
    delivery: DeliveryId,
    request: RequestId,
    recovery: RecoveryId,
}

/// Each route answers each caller as it should; who is refused changes nothing and learns nothing.
pub async fn every_route_opens_to_whom_it_should_and_to_nobody_else(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let live_key = ground.key(Mode::Live, ORGANISATION, Role::Developer).await?;
    let everybody = everybody(&ground).await?;
    let mut number = 0;
    for trial in trials(&ground).await? {
        for somebody in &everybody {
            number += 1;
            let fixture = Fixture::prepare(&ground, number, trial).await?;
            let call =
                trial.call(&ground, &fixture, somebody).header("bellhop-source-authorization", &live_key);
            let tried = try_one(&ground, trial, &fixture, somebody, call).await;
            tried.with_context(|| format!("{} {} by {}", trial.method, trial.path, somebody.who))?;
            fixture.clear(&ground).await?;
        }
    }
    Ok(())
}

async fn try_one(
    ground: &Ground,
    trial: &Trial,
    fixture: &Fixture,
    somebody: &Somebody,
    call: Call,
) -> Result<()> {
    let expected = trial.expected(somebody.standing);
    let answer = call.send().await?;
    ensure!(answer.status == expected, "answered {} instead of {expected}: {}", answer.status, answer.text);
    if matches!(somebody.standing, Standing::Has(_)) && expected == trial.ok {
        return Ok(());
    }
    let webhook =
        ground.organisation()?.webhook(&fixture.webhook).await.context("the webhook is still there")?;
    ensure!(webhook.version == 1, "it was changed: {webhook:?}");
    let key = ground.organisation()?.key(&fixture.key.1).await?;
    ensure!(key.revoked_at.is_none() && !key.is_expired, "the key was revoked: {key:?}");
    // A caller may be told what it said itself.
    for (what, text) in [("key", &fixture.key.0), ("URL", &webhook.url.expose().to_owned())] {
        ensure!(!answer.text.contains(text.as_str()), "the {what} is told: {}", answer.text);
    }
    if answer.status == 404 {
        return ensure_like_unknown(ground, trial, somebody, fixture, &answer).await;
    }
    let is_in_path = trial.path.contains("{id}") || trial.path == "/v1/webhook-copies";
    ensure!(is_in_path || !answer.text.contains(fixture.webhook.as_str()), "it is told of: {}", answer.text);
    ensure!(is_in_path || !answer.text.contains(fixture.key.1.as_str()), "it is told of: {}", answer.text);
    Ok(())
}

/// What is another's is answered like what never was.
async fn ensure_like_unknown(
    ground: &Ground,
    trial: &Trial,
    somebody: &Somebody,
    fixture: &Fixture,
    answer: &Answer,
) -> Result<()> {
    let never = Fixture {
        number: fixture.number,
        webhook: WebhookId::from_uuid(&[7; 16]),
        live_webhook: WebhookId::from_uuid(&[7; 16]),
        key: (String::new(), bellhop_model::ApiKeyId::from_uuid(&[7; 16])),
        logged: Logged::never()?,
    };
    let source = ground.key(Mode::Live, "org_elsewhere", Role::Developer).await?;
    let call = trial.call(ground, &never, somebody).header("bellhop-source-authorization", &source);
    let unknown = call.expect(404).await?;
    let told = |answer: &Answer, fixture: &Fixture| {
        let detail = answer.body["detail"].as_str().unwrap_or_default().to_owned();
        let Logged { event, delivery, recovery, .. } = &fixture.logged;
        let ids = [
            fixture.webhook.as_str(),
            fixture.live_webhook.as_str(),
            fixture.key.1.as_str(),
            event,
            delivery.as_str(),
            recovery.as_str(),
        ];
        ids.iter().fold(detail, |detail, id| detail.replace(id, "…"))
    };
    let (told, expected) = (told(answer, fixture), told(&unknown, &never));
    ensure!(told == expected, "`{told}` instead of `{expected}`");
    Ok(())
}

impl Trial {
    fn call(&self, ground: &Ground, fixture: &Fixture, somebody: &Somebody) -> Call {
        let Logged { event, delivery, request, recovery } = &fixture.logged;
        let id = match self.path.split('/').nth(2) {
            Some("keys") => fixture.key.1.as_str(),
            Some("events") => event,
            Some("deliveries") => delivery.as_str(),
            Some("recoveries") => recovery.as_str(),
            _ => fixture.webhook.as_str(),
        };
        let path = self.path.replace("{id}", id).replace("{type}", SCHEDULED);
        let path = path.replace("{request}", &request.to_string());
        let method = Method::from_bytes(self.method.to_uppercase().as_bytes()).expect("a method");
        let mut call = ground.api.call(method, &path);
        let body = (self.body)(fixture);
        if !body.is_null() {
            call = call.json(&body);
        }
        if let Some(authorization) = &somebody.authorization {
            call = call.by(authorization);
        }
        if somebody.is_operator {
            call = call.header("bellhop-mode", "test").header("bellhop-organisation", ORGANISATION);
        }
        call
    }

    fn expected(&self, standing: Standing) -> u16 {
        let has = match standing {
            Standing::Nobody => return 401,
            Standing::OtherRole => return 403,
            Standing::Foreign(index) => return self.foreign[index],
            Standing::Has(has) => has,
        };
        let is_enough = match self.needs {
            Needs::Developer => true,
            Needs::Administrator => has != Needs::Developer,
            Needs::Operator => has == Needs::Operator,
        };
        if is_enough { self.ok } else { 403 }
    }
}

impl Logged {
    /// What nobody ever told of.
    fn never() -> Result<Self> {
        Ok(Self {
            event: "evt-never".to_owned(),
            delivery: format!("dlv_{}", "7".repeat(32)).parse()?,
            request: RequestId::new(7, &[7; 16]),
            recovery: RecoveryId::from_uuid(&[7; 16]),
        })
    }

    async fn prepare(ground: &Ground, number: usize, webhook: &WebhookId, trial: &Trial) -> Result<Self> {
        let is_about = |word: &str| trial.path.contains(word);
        if !["/events/{id}", "/deliveries", "/recoveries"].into_iter().any(is_about) {
            return Self::never();
        }
        let event = format!("evt-{number}");
        let told = Told::to(webhook, Mode::Test, &event, APPOINTMENT)?;
        let now = OffsetDateTime::now_utc();
        let (attempt, mut records) = (told.attempt(now, "5xx"), Records::default());
        records.push_event(&told.event, &told.body, now);
        records.push_attempt(&attempt);
        records.push_end(&told.end(now + time::Duration::MILLISECOND));
        ground.record(records).await?;
        let mut logged =
            Self { event, delivery: told.addressed.delivery, request: attempt.request, ..Self::never()? };
        if trial.path.starts_with("/v1/recoveries") {
            let filter = RecoveryFilter {
                webhook: webhook.clone(),
                states: vec![DeliveryStateName::Exhausted],
                event_type: None,
                since: OffsetDateTime::UNIX_EPOCH,
                until: None,
            };
            let new = NewRecovery { filter, pace: 1, patience: Duration::from_secs(5) };
            logged.recovery = ground.organisation()?.begin_recovery(&new).await?.id;
        }
        Ok(logged)
    }
}

impl Fixture {
    async fn prepare(ground: &Ground, number: usize, trial: &Trial) -> Result<Self> {
        let add = async |mode: Mode| {
            let new = NewWebhook {
                mode,
                organisation: ORGANISATION.parse()?,
                url: EndpointUrl::parse(&format!("https://{mode}.example/{number}?token=hidden"), mode)?,
                event_types: [SCHEDULED.parse()?].into(),
                payload: PayloadLevel::default(),
                description: String::new(),
            };
            anyhow::Ok(ground.store.add_webhook(new).await?.value.webhook.id)
        };
        let (webhook, live_webhook) = (add(Mode::Test).await?, add(Mode::Live).await?);
        let key = limited_key(&ground.store, Mode::Test, ORGANISATION, (Role::Developer, None)).await?;
        let logged = Logged::prepare(ground, number, &webhook, trial).await?;
        Ok(Self { number, webhook, live_webhook, key, logged })
    }

    /// Removes all there is, so that no trial runs into a limit.
    async fn clear(self, ground: &Ground) -> Result<()> {
        for webhook in ground.store.webhooks(&bellhop_store::WebhookFilter::default()).await? {
            ground.store.remove_webhook(&webhook.id).await?;
        }
        ground.organisation()?.revoke_key(&self.key.1).await?;
        Ok(())
    }
}

/// The routes that are served, each with how it is tried.
async fn trials(ground: &Ground) -> Result<Vec<&'static Trial>> {
    let document = ground.api.call(Method::GET, "/openapi.json").expect(200).await?.body;
    let mut trials = Vec::new();
    for (path, item) in document["paths"].as_object().context("the description has paths")? {
        for method in item.as_object().context("a path has operations")?.keys() {
            let Some(trial) = TRIALS.iter().find(|trial| trial.path == path && trial.method == method) else {
                bail!("nobody says who may use {method} {path}");
            };
            trials.push(trial);
        }
    }
    ensure!(trials.len() == TRIALS.len(), "a route that is tried is not served");
    Ok(trials)
}

async fn everybody(ground: &Ground) -> Result<Vec<Somebody>> {
    let key = async |mode, organisation, role| ground.key(mode, organisation, role).await;
    let administrator = &ground.key;
    let known: ApiKey = administrator.parse()?;
    let moment = Some(Duration::from_millis(1));
    let limited = (Role::Administrator, moment);
    let (expired, _) = limited_key(&ground.store, Mode::Test, ORGANISATION, limited).await?;
    let unlimited = (Role::Administrator, None);
    let (revoked, id) = limited_key(&ground.store, Mode::Test, ORGANISATION, unlimited).await?;
    ground.organisation()?.revoke_key(&id).await?;
    // The same key, save for the last digit of what nobody can guess, and one that never was.
    let last = if administrator.ends_with('0') { "1" } else { "0" };
    let guessed = format!("{}{last}", &administrator[..administrator.len() - 1]);
    let other_mode = known.expose().replacen("test_", "live_", 1);
    let unknown = ApiKey::from_random(Mode::Test, &[9; 16], &[9; 32]).expose().to_owned();
    let other_role = Role::Other("practitioner".into());
    let somebody = |who, authorization: Option<String>, standing| {
        let is_operator = authorization.as_deref().is_some_and(|text| text.starts_with("operator_"));
        Somebody { who, authorization, is_operator, standing }
    };
    Ok(vec![
        somebody("nobody", None, Standing::Nobody),
        somebody("an empty key", Some(String::new()), Standing::Nobody),
        somebody("an unknown key", Some(unknown), Standing::Nobody),
        somebody("a guessed key", Some(guessed), Standing::Nobody),
        somebody("a key turned to the other mode", Some(other_mode), Standing::Nobody),
        somebody("an expired key", Some(expired), Standing::Nobody),
        somebody("a revoked key", Some(revoked), Standing::Nobody),
        somebody("a wrong operator", Some(OPERATOR.replace('9', "8")), Standing::Nobody),
        somebody("another role", Some(key(Mode::Test, ORGANISATION, other_role).await?), Standing::OtherRole),
        somebody(
            "the other mode",
            Some(key(Mode::Live, ORGANISATION, Role::Administrator).await?),
            Standing::Foreign(0),
        ),
        somebody(
            "another organisation",
            Some(key(Mode::Test, "org_other", Role::Administrator).await?),
            Standing::Foreign(1),
        ),
        somebody(
            "a developer",
            Some(key(Mode::Test, ORGANISATION, Role::Developer).await?),
            Standing::Has(Needs::Developer),
        ),
        somebody("an administrator", Some(administrator.clone()), Standing::Has(Needs::Administrator)),
        somebody(
            "an administrator after Bearer",
            Some(format!("Bearer {administrator}")),
            Standing::Has(Needs::Administrator),
        ),
        somebody("the operator", Some(OPERATOR.to_owned()), Standing::Has(Needs::Operator)),
    ])
}
