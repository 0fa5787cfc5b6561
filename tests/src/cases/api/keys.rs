//! Keys and sign-ins: made, used, revoked, run out; and the sealing key that they hang on.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Mode, Role};
use bellhop_store::Author;
use hyper::Method;
use serde_json::{Value, json};

use super::ground::{Ground, OPERATOR, limited_key};
use crate::appointment::{ORGANISATION, SCHEDULED};
use crate::context::Context;

/// Over HTTP and at the shell alike: a key is shown once, opens until it is revoked, and its last use is told.
pub async fn a_key_lives_from_its_making_to_its_revocation(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let wish = json!({ "role": "developer", "name": "CI", "expiresInDays": 30 });
    let made = ground.api.post(&ground.key, "/v1/keys", &wish).expect(201).await?;
    let (key, id) = (made.text_of("key")?, made.text_of("id")?);
    ensure!(key.starts_with("test_") && made.header("location") == format!("/v1/keys/{id}"), "{made:?}");
    let find = async |id: &str| {
        let listed = ground.api.get(&ground.key, "/v1/keys").expect(200).await?;
        ensure!(!listed.text.contains(&key) && !listed.text.contains(&key[37..]), "a key is told again");
        let keys = listed.body["data"].as_array().cloned().unwrap_or_default();
        keys.into_iter().find(|key| key["id"] == id).context("it is not listed")
    };
    let before = find(&id).await?;
    ensure!(before["lastUsedAt"] == Value::Null && before["status"] == "active", "{before}");
    ensure!(before["expiresAt"].is_string() && before["role"] == "developer", "{before}");
    ground.api.get(&key, "/v1/webhooks").expect(200).await?;
    let used = find(&id).await?["lastUsedAt"].clone();
    ensure!(used.is_string(), "{used}");
    ground.api.get(&key, "/v1/webhooks").expect(200).await?;
    ensure!(find(&id).await?["lastUsedAt"] == used, "a use is written at most once a minute");

    let path = format!("/v1/keys/{id}");
    ensure!(ground.api.get(&ground.key, &path).expect(200).await?.body == find(&id).await?);
    let revoked = ground.api.call(Method::DELETE, &path).by(&ground.key).expect(200).await?;
    ensure!(revoked.body["status"] == "revoked", "{}", revoked.text);
    let again = ground.api.call(Method::DELETE, &path).by(&ground.key).expect(200).await?;
    ensure!(again.body == revoked.body, "the first revocation counts");
    ensure!(ground.api.get(&key, "/v1/webhooks").expect(401).await?.text.contains("revoked"));

    let whose = ["--mode", "live", "--organisation", ORGANISATION, "--output", "json"];
    let program = ground.site.operator.program();
    let printed = program.run(&[&["key", "create", "--role", "practitioner"][..], &whose].concat()).await?;
    let made: Value = serde_json::from_str(&printed.succeeded()?.stdout)?;
    let refused = ground.api.get(made["key"].as_str().context("a key")?, "/v1/webhooks").expect(403).await?;
    ensure!(refused.text_of("detail")?.contains("`practitioner`"), "{}", refused.text);
    let id = made["id"].as_str().context("an id")?;
    program.run(&[&["key", "revoke", id][..], &whose].concat()).await?.succeeded()?;
    let listed = program.run(&[&["key", "list"][..], &whose].concat()).await?.succeeded()?.stdout;
    ensure!(listed.contains("\"revoked\"") && listed.contains(id), "{listed}");
    let nameless = program.run(&[&["key", "create", "--name", "a\u{7}"][..], &whose].concat()).await?;
    nameless.ended_with(2)?.complains_of(&["100 characters"])?;
    for wish in [
        json!({ "role": "nurse", "name": "x" }),
        json!({ "role": "developer", "name": "" }),
        json!({ "role": "developer", "name": "x", "expiresInDays": 0 }),
    ] {
        ground.api.post(&ground.key, "/v1/keys", &wish).expect(422).await?;
    }
    Ok(())
}

/// A key that is used moves to the new sealing key, so that the old one can be thrown away.
pub async fn keys_survive_a_rotation_of_the_sealing_key(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let unused = ground.key(Mode::Test, ORGANISATION, Role::Developer).await?;
    let limited = (Role::Developer, Some(Duration::from_millis(1)));
    let (expired, _) = limited_key(&ground.store, Mode::Test, ORGANISATION, limited).await?;
    let (revoked, id) = limited_key(&ground.store, Mode::Test, ORGANISATION, (Role::Developer, None)).await?;
    ground.organisation()?.revoke_key(&id).await?;
    let old = ground.site.place.addresses().sealing_key.clone();
    let new = "k2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let program = ground.site.operator.program();
    let both =
        ground.site.api_as(&program.clone().with("BELLHOP_SEALING_KEY", &format!("{new},{old}"))).await?;
    both.get(&ground.key, "/v1/webhooks").expect(200).await?;

    let alone = program.clone().with("BELLHOP_SEALING_KEY", new);
    alone.run(&["api"]).await?.ended_with(1)?.complains_of(&["sealing key", "not configured"])?;
    both.get(&unused, "/v1/webhooks").expect(200).await?;
    let only_new = ground.site.api_as(&alone).await?;
    for key in [&ground.key, &unused] {
        only_new.get(key, "/v1/webhooks").expect(200).await?;
    }
    // Nobody hashed these anew, and start-up did not insist on the old sealing key for their sake.
    for key in [&expired, &revoked] {
        both.get(key, "/v1/webhooks").expect(401).await?;
        only_new.get(key, "/v1/webhooks").expect(401).await?;
    }
    Ok(())
}

/// With another sealing key no API key could be judged and no signature made: better not to start, and not to write
/// anything that opens nowhere else.
pub async fn a_lost_or_wrong_sealing_key_is_told_at_the_start(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let given = ground.site.place.addresses().sealing_key.clone();
    let id = given.split(':').next().context("a key has an id")?;
    let wrong = format!("{id}:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let lost = "other:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let program = ground.site.operator.program();
    ground.create("https://example.org/a").await?;
    let whose = ["--mode", "test", "--organisation", ORGANISATION];
    let add =
        [&["webhook", "add", "--url", "https://example.org/b", "--event", SCHEDULED][..], &whose].concat();
    let commands: [&[&str]; 5] =
        [&["api"], &["worker"], &["recorder"], &add, &[&["key", "create"][..], &whose].concat()];
    for (key, complaint) in [(&*wrong, "does not open"), (lost, "not configured")] {
        let program = program.clone().with("BELLHOP_SEALING_KEY", key);
        for command in commands {
            let finished = program.run(command).await?;
            let told = finished.ended_with(1).and_then(|finished| finished.complains_of(&[complaint, id]));
            told.with_context(|| command.join(" "))?;
        }
    }
    ensure!(ground.organisation()?.keys(None, 10).await?.len() == 1, "a key was made");
    ensure!(ground.store.webhooks(&bellhop_store::WebhookFilter::default()).await?.len() == 1);
    Ok(())
}

/// What the platform's backend asks for opens once, for the user, and not after its time.
pub async fn a_sign_in_opens_once_and_for_its_time(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let wish = json!({ "user": "anna@example.org", "role": "administrator" });
    let ask = |wish: &Value| {
        let call = ground.api.post(OPERATOR, "/v1/console/sign-ins", wish);
        call.header("bellhop-mode", "live").header("bellhop-organisation", ORGANISATION)
    };
    let token = ask(&wish).expect(201).await?.text_of("token")?;
    let open = async |token: &str| ground.store.redeem_sign_in(token, &Author::SYSTEM).await;
    let signed_in = open(&token).await?.context("it opens")?;
    ensure!(signed_in.mode == Mode::Live && signed_in.organisation.as_str() == ORGANISATION, "{signed_in:?}");
    ensure!(signed_in.role == Role::Administrator && signed_in.user == "anna@example.org", "{signed_in:?}");
    ensure!(open(&token).await?.is_none(), "it opens twice");
    ensure!(open("signin_AAAA").await?.is_none() && open("").await?.is_none());

    let late = ask(&wish).expect(201).await?.text_of("token")?;
    let client = ground.site.place.postgres().await?;
    client.execute("UPDATE bellhop.sign_ins SET expires_at = now() WHERE used_at IS NULL", &[]).await?;
    ensure!(open(&late).await?.is_none(), "it opens after its time");
    let nurse = ask(&json!({ "user": "bob", "role": "nurse" })).expect(403).await?;
    ensure!(nurse.text_of("detail")?.contains("`nurse`"), "{}", nurse.text);
    ensure!(ask(&json!({ "user": "", "role": "X" })).expect(422).await?.fields() == ["user", "role"]);
    for (missing, header, value) in [
        ("bellhop-mode", "bellhop-organisation", ORGANISATION),
        ("bellhop-organisation", "bellhop-mode", "live"),
    ] {
        let call = ground.api.post(OPERATOR, "/v1/console/sign-ins", &wish).header(header, value);
        ensure!(call.expect(400).await?.fields() == [missing]);
    }
    let live = (Role::Administrator, Some(Duration::from_secs(60)));
    let (administrator, _) = limited_key(&ground.store, Mode::Live, ORGANISATION, live).await?;
    for (action, actor) in [("sign_in.created", "operator"), ("sign_in.used", "user")] {
        let entries =
            ground.api.get(&administrator, &format!("/v1/audit?action={action}")).expect(200).await?;
        ensure!(entries.body["data"][0]["actor"]["kind"] == actor, "{}", entries.text);
    }
    Ok(())
}
