//! Webhooks and their copies: what is registered, who may read it, and that no old read survives a new write.

mod bench;
pub mod changes;
pub mod outages;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Attempt, CopyToken, DeliveryId, DisabledReason, Mode, Series, WebhookStatus, verify};
use bellhop_store::{
    Claim, ClaimedAttempt, DeliveryFilter, SealingKeys, ServerUrl, Store, StoreError,
    WEBHOOKS_PER_ORGANISATION_MAX, WebhookFilter,
};
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, stream};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::bench::{Servers, dead_url, new_webhook, organisation};
use crate::context::Context;

/// How many webhooks are added at once: fewer than a store has connections, since what waits for one waits for all before it.
const AT_ONCE: usize = 4;

/// What is registered can be resolved, ready to sign with the secret that was shown, and in its own mode only.
pub async fn a_registered_webhook_is_resolved_ready_to_sign_and_only_in_its_mode(
    context: Context,
) -> Result<()> {
    let store = Servers::shared(&context).await?.store().await?;
    let registered = store.add_webhook(new_webhook("a")).await?.value;

    let subscriptions = store.subscriptions(Mode::Test, &organisation()).await?;
    let active = subscriptions.find(&registered.webhook.id).context("not resolved")?;
    ensure!(active.subscription.url == registered.webhook.url, "{:?}", active.subscription);
    ensure!(active.subscription.event_types == registered.webhook.event_types, "{active:?}");
    ensure!(active.subscription.payload == registered.webhook.payload, "{active:?}");
    let signature = active.signer.sign(&"evt_1".parse()?, 1_700_000_000, b"{}");
    verify(&registered.secret, "evt_1", 1_700_000_000, b"{}", signature.as_str())?;

    let live = store.subscriptions(Mode::Live, &organisation()).await?;
    ensure!(live.all.is_empty() && live.version == 0, "{live:?}");
    Ok(())
}

/// Disabling, enabling and removing are seen at once by who did it, keep the first reason, and are on record.
pub async fn a_disabled_webhook_keeps_its_first_reason_until_it_is_enabled(context: Context) -> Result<()> {
    let store = Servers::shared(&context).await?.store().await?;
    let id = store.add_webhook(new_webhook("a")).await?.value.webhook.id;
    let is_active = async || {
        let subscriptions = store.subscriptions(Mode::Test, &organisation()).await?;
        anyhow::Ok(subscriptions.find(&id).is_some())
    };

    ensure!(is_active().await?);
    store.disable_webhook(&id, DisabledReason::Gone).await?;
    store.disable_webhook(&id, DisabledReason::Requested).await?;
    ensure!(!is_active().await?);
    let webhook = store.webhook(&id).await?;
    ensure!(
        webhook.status == WebhookStatus::Disabled(DisabledReason::Gone) && webhook.version == 2,
        "{webhook:?}"
    );

    store.enable_webhook(&id).await?;
    ensure!(is_active().await?);
    ensure!(store.webhook(&id).await?.status == WebhookStatus::Enabled);

    ensure!(store.remove_webhook(&id).await?.value.id == id);
    ensure!(!is_active().await?);
    for error in [
        store.webhook(&id).await.err(),
        store.enable_webhook(&id).await.err(),
        store.remove_webhook(&id).await.err(),
    ] {
        ensure!(matches!(&error, Some(StoreError::UnknownWebhook(unknown)) if *unknown == id), "{error:?}");
    }
    Ok(())
}

/// A moment that is in no calendar in UTC panics while it is written for PostgreSQL, with half of a message in the
/// connection's buffer. What is asked next must not go out as the rest of it.
pub async fn a_panic_costs_its_connection_and_nothing_else(context: Context) -> Result<()> {
    let mut options = Servers::shared(&context).await?.options()?;
    // One for resolutions, one for all else: the next question gets what the panic left.
    options.postgres.connections_max = 2;
    let store = Store::open(&options)?;
    store.migrate().await?;
    let late = OffsetDateTime::parse("9999-12-31T23:59:59-01:00", &Rfc3339)?;
    for _ in 0..5 {
        let store = store.clone();
        let filter = DeliveryFilter { since: Some(late), ..DeliveryFilter::default() };
        let asked = tokio::spawn(async move { store.deliveries(&filter, 1).await.map(drop) }).await;
        ensure!(asked.is_err_and(|error| error.is_panic()), "nothing panicked, so this case shows nothing");
    }
    store.add_webhook(new_webhook("a")).await?;
    ensure!(store.deliveries(&DeliveryFilter::default(), 1).await?.is_empty());
    Ok(())
}

/// Many register at once: one URL only once, and never more than the most, however the writes interleave.
pub async fn duplicates_and_one_webhook_too_many_are_refused(context: Context) -> Result<()> {
    let store = Servers::shared(&context).await?.store().await?;
    let id = store.add_webhook(new_webhook("a")).await?.value.webhook.id;
    let error = store.add_webhook(new_webhook("a")).await.err();
    ensure!(matches!(&error, Some(StoreError::Duplicate { existing }) if *existing == id), "{error:?}");

    let adding = (0..WEBHOOKS_PER_ORGANISATION_MAX).map(|number| {
        let store = store.clone();
        async move { store.add_webhook(new_webhook(&format!("n{number}"))).await }
    });
    let added: Vec<_> = stream::iter(adding).buffer_unordered(AT_ONCE).collect().await;
    let refused: Vec<StoreError> = added.into_iter().filter_map(Result::err).collect();
    ensure!(matches!(refused.as_slice(), [StoreError::TooManyWebhooks { .. }]), "{refused:?}");
    let mut other = new_webhook("a");
    other.mode = Mode::Live;
    store.add_webhook(other).await.context("the other mode has a count of its own")?;

    let all = store.webhooks(&WebhookFilter { mode: Some(Mode::Test), ..WebhookFilter::default() }).await?;
    ensure!(all.len() == WEBHOOKS_PER_ORGANISATION_MAX && all[0].id == id, "{all:?}");
    let page =
        WebhookFilter { after: Some(all[23].id.clone()), mode: Some(Mode::Test), ..WebhookFilter::default() };
    ensure!(store.webhooks(&page).await?.len() == 1, "the last page has the last webhook");
    Ok(())
}

/// A webhook without event types, or for a URL that its mode does not allow, is refused before it can do harm.
pub async fn what_could_not_be_read_back_is_not_stored(context: Context) -> Result<()> {
    let store = Servers::shared(&context).await?.store().await?;
    let mut without_types = new_webhook("a");
    without_types.event_types.clear();
    let error = store.add_webhook(without_types).await.err();
    ensure!(matches!(error, Some(StoreError::EventTypes(0))), "{error:?}");

    let mut plain_in_live = new_webhook("a");
    plain_in_live.url = bellhop_model::EndpointUrl::parse("http://example.org/", Mode::Test)?;
    plain_in_live.mode = Mode::Live;
    let error = store.add_webhook(plain_in_live).await.err();
    ensure!(matches!(error, Some(StoreError::Url(_))), "{error:?}");
    ensure!(store.webhooks(&WebhookFilter::default()).await?.is_empty());
    Ok(())
}

/// A missing key and a wrong key both show at start-up and at each use, and neither makes a signature.
pub async fn a_missing_or_wrong_sealing_key_is_told_and_never_signs(context: Context) -> Result<()> {
    let servers = Servers::shared(&context).await?;
    let store = servers.store().await?;
    store.verify_sealing_keys().await.context("nothing is stored yet")?;
    store.add_webhook(new_webhook("a")).await?;
    store.verify_sealing_keys().await?;

    let (name, _) = servers.sealing_key.split_once(':').context("a key has a name")?;
    let other_bytes = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let keyrings = [format!("other:{other_bytes}"), format!("{name}:{other_bytes}")];
    for keyring in keyrings {
        let mut options = servers.options()?;
        options.sealing = SealingKeys::parse(&keyring)?;
        let stranger = Store::open(&options)?;
        let unresolved = stranger.subscriptions(Mode::Test, &organisation()).await.err();
        let reason = unresolved.context("resolved with the wrong key")?.reason;
        for error in [Some(&*reason), stranger.verify_sealing_keys().await.as_ref().err()] {
            let is_told = match error {
                Some(StoreError::SealingKeyUnknown { key_id }) => !keyring.starts_with(key_id.as_str()),
                Some(StoreError::SealingKeyWrong { key_id }) => keyring.starts_with(key_id.as_str()),
                _ => false,
            };
            ensure!(is_told, "{keyring}: {error:?}");
        }
        ensure!(stranger.stats().redis_unreadable == 1, "{:?}", stranger.stats());
    }
    let rotated = format!("new:{other_bytes},{}", servers.sealing_key);
    let mut options = servers.options()?;
    options.sealing = SealingKeys::parse(&rotated)?;
    let rotated = Store::open(&options)?;
    rotated.verify_sealing_keys().await?;
    ensure!(rotated.subscriptions(Mode::Test, &organisation()).await?.all.len() == 1);
    Ok(())
}

/// Nothing that Redis holds shows a URL or a secret to who can read Redis.
pub async fn redis_holds_no_url_and_no_secret_in_the_clear(context: Context) -> Result<()> {
    let servers = Servers::shared(&context).await?;
    let store = servers.store().await?;
    let registered = store.add_webhook(new_webhook("token-in-the-path")).await?.value;
    let mut redis = servers.redis_connection().await?;
    let pattern = format!("{}:*", servers.key_prefix);
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut redis).await?;
    ensure!(keys == [servers.copy_key()], "{keys:?}");
    let sealed: Vec<u8> = redis::cmd("HGET").arg(&keys[0]).arg("sealed").query_async(&mut redis).await?;
    let seen = String::from_utf8_lossy(&sealed);
    let secret = registered.secret.expose();
    for hidden in ["token-in-the-path", "example.org", "appointment", &secret["whsec_".len()..]] {
        ensure!(!seen.contains(hidden), "`{hidden}` lies open in Redis");
    }
    let ttl_ms: i64 = redis::cmd("PTTL").arg(&keys[0]).query_async(&mut redis).await?;
    ensure!((470_000..=600_000).contains(&ttl_ms), "{ttl_ms}");
    Ok(())
}

/// One copy of an attempt owns it, however many ask; and without Redis nobody pretends to know.
pub async fn an_attempt_is_claimed_by_one_copy(context: Context) -> Result<()> {
    let servers = Servers::shared(&context).await?;
    let store = servers.store().await?;
    let id = store.add_webhook(new_webhook("a")).await?.value.webhook.id;
    let delivery = DeliveryId::derive(Mode::Test, &organisation(), &"evt_1".parse()?, &id);
    let second = ClaimedAttempt {
        mode: Mode::Test,
        delivery: &delivery,
        series: Series::FIRST,
        attempt: Attempt::try_from(2)?,
    };
    let copies: Vec<CopyToken> = (0..8).map(|byte| CopyToken::from_random(&[byte; 16])).collect();

    let claims = try_join_all(copies.iter().map(|copy| store.claim(second, copy))).await?;
    let granted: Vec<usize> = (0..claims.len()).filter(|&index| claims[index] == Claim::Granted).collect();
    ensure!(granted.len() == 1, "{claims:?}");
    let owner = granted[0];
    ensure!(store.claim(second, &copies[owner]).await? == Claim::OwnedBySameCopy);
    ensure!(store.claim(second, &copies[(owner + 1) % 8]).await? == Claim::OwnedByAnother);
    store.conclude(second, &copies[owner]).await?;
    ensure!(store.claim(second, &copies[owner]).await? == Claim::Concluded);
    ensure!(store.claim(second, &copies[(owner + 1) % 8]).await? == Claim::OwnedByAnother);
    for other in [
        ClaimedAttempt { attempt: Attempt::try_from(3)?, ..second },
        ClaimedAttempt { series: Series(2), ..second },
        ClaimedAttempt { mode: Mode::Live, ..second },
    ] {
        ensure!(store.claim(other, &copies[0]).await? == Claim::Granted, "{other:?}");
    }
    let mut redis = servers.redis_connection().await?;
    let key = format!("{}:claim:test:{delivery}:1:2", servers.key_prefix);
    let ttl_seconds: i64 = redis::cmd("TTL").arg(key).query_async(&mut redis).await?;
    ensure!(ttl_seconds > 27 * 60 * 60, "{ttl_seconds}");

    let mut options = servers.options()?;
    options.redis.url = ServerUrl::new(dead_url("redis")?);
    let error = Store::open(&options)?.claim(second, &copies[0]).await.err();
    ensure!(matches!(&error, Some(StoreError::RedisAway { .. })), "{error:?}");
    Ok(())
}

/// Before the tables exist everything says what to do; then several migrate at once and once more.
pub async fn migrating_twice_or_at_once_is_harmless(context: Context) -> Result<()> {
    let servers = Servers::shared(&context).await?;
    let stores: Vec<Store> = (0..4).map(|_| Ok(Store::open(&servers.options()?)?)).collect::<Result<_>>()?;
    let errors = [
        stores[0].check_schema().await.err(),
        stores[0].add_webhook(new_webhook("a")).await.err(),
        stores[0].webhooks(&WebhookFilter::default()).await.err(),
    ];
    for error in errors {
        let error = error.context("there are no tables")?;
        ensure!(
            matches!(error, StoreError::NotMigrated) && error.to_string().contains("bellhop migrate"),
            "{error}"
        );
    }
    let applied = try_join_all(stores.iter().map(Store::migrate)).await?;
    let working = applied.iter().filter(|names| !names.is_empty()).count();
    ensure!(working == 1, "{applied:?}");
    ensure!(stores[0].migrate().await?.is_empty());
    for store in &stores {
        store.check_schema().await?;
    }
    stores[1].add_webhook(new_webhook("a")).await?;
    Ok(())
}
