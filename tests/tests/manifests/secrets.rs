//! What is handed in from outside: the Secrets that `deploy/kubernetes/secrets` makes, and all that refers to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::ensure_none;
use crate::rendered::{Object, Overlay, across, kubernetes, list, run};

/// What is neither rendered nor made by the script: certificates, which somebody else signs.
const CERTIFICATES: [(&str, &str, &[&str]); 4] = [
    ("bellhop", "bellhop-api-tls", &["tls.crt", "tls.key"]),
    ("bellhop", "bellhop-broker-ca", &["ca.crt"]),
    ("bellhop-rabbitmq", "rabbitmq-tls", &["tls.crt", "tls.key"]),
    ("bellhop-rabbitmq", "rabbitmq-ca", &["ca.crt"]),
];

/// Contents by key, of each Secret by namespace and name.
pub(crate) type Secrets = BTreeMap<(String, String), BTreeMap<String, String>>;

/// The Secrets that an overlay finds when it is applied as the README says.
pub(crate) fn of(overlay: &Overlay) -> Secrets {
    match overlay.name.as_str() {
        "local" => overlay.of_kind("Secret").map(entry).collect(),
        "managed" => made(&[("BELLHOP_BROKER", "broker.example.com:5671")]),
        _ => made(&[]),
    }
}

fn entry(secret: &Object) -> ((String, String), BTreeMap<String, String>) {
    let data = secret.at("/data").as_object().expect("it has contents").iter().map(|(key, value)| {
        // Kustomize folds what is long.
        let folded = value.as_str().expect("it is text").replace('\n', "");
        let value = STANDARD.decode(folded).expect("it is base64");
        (key.clone(), String::from_utf8(value).expect("it is UTF-8"))
    });
    ((secret.namespace().to_owned(), secret.name().to_owned()), data.collect())
}

/// What the script prints.
fn made(environment: &[(&str, &str)]) -> Secrets {
    let mut script = Command::new(kubernetes().join("secrets"));
    script
        .env("BELLHOP_POSTGRES_URL", "postgres://bellhop:it's@127.0.0.1:1/bellhop")
        .env("BELLHOP_REDIS_URL", "redis://:secret@127.0.0.1:1/0")
        .env_remove("BELLHOP_BROKER")
        .env_remove("BELLHOP_MANAGEMENT")
        .envs(environment.iter().copied());
    let text = String::from_utf8(run(&mut script, b"")).expect("it prints text");
    text.split("---\n").filter(|part| !part.is_empty()).map(read).collect()
}

/// Reads one document of the simple form that the script prints.
fn read(document: &str) -> ((String, String), BTreeMap<String, String>) {
    let value = |key: &str| {
        let mut values = document.lines().filter_map(|line| line.strip_prefix(&format!("  {key}: ")));
        values.next().unwrap_or_else(|| panic!("no {key} in {document}")).to_owned()
    };
    let (_, contents) = document.split_once("stringData:\n").expect("it has contents");
    let contents = contents.lines().map(|line| {
        let (key, value) = line.trim().split_once(": ").expect("it is key and value");
        let value =
            value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).expect("it is quoted");
        (key.to_owned(), value.replace("''", "'"))
    });
    ((value("namespace"), value("name")), contents.collect())
}

/// Every reference by namespace, name and key.
fn references(overlay: &Overlay) -> BTreeSet<(String, String, String)> {
    let mut found = BTreeSet::new();
    let mut add = |object: &Object, name: &Value, key: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{}", object.title())).to_owned();
        found.insert((object.namespace().to_owned(), text(name), text(key)));
    };
    for pod in overlay.pods() {
        let sources = list(&pod.spec["volumes"]).flat_map(|volume| list(&volume["projected"]["sources"]));
        for source in sources.flat_map(|source| [&source["secret"], &source["configMap"]]) {
            list(&source["items"]).for_each(|item| add(pod.owner, &source["name"], &item["key"]));
        }
    }
    for object in &overlay.objects {
        let targets = ["/spec/secretTargetRef", "/spec/configMapTargetRef"];
        let targets = targets.into_iter().flat_map(|pointer| list(object.at(pointer)));
        targets.for_each(|target| add(object, &target["name"], &target["key"]));
        let credentials = object.at("/spec/importCredentialsSecret/name");
        if !credentials.is_null() {
            ["username", "password"].iter().for_each(|key| add(object, credentials, &Value::from(*key)));
        }
        let served = list(object.at("/spec/tls")).chain([object.at("/spec/tls")]);
        for name in served.filter_map(|tls| tls.get("secretName")) {
            ["tls.crt", "tls.key"].iter().for_each(|key| add(object, name, &Value::from(*key)));
        }
        let endpoints = list(object.at("/spec/podMetricsEndpoints"));
        for authority in endpoints.filter_map(|endpoint| endpoint.pointer("/tlsConfig/ca/configMap")) {
            add(object, &authority["name"], &authority["key"]);
        }
    }
    found
}

#[test]
fn every_secret_that_is_referred_to_is_made() {
    let missing = across(|overlay| {
        let secrets = of(overlay);
        let missing = references(overlay).into_iter().filter(move |(namespace, name, key)| {
            let made = secrets.get(&(namespace.clone(), name.clone()));
            let signed = CERTIFICATES.iter().find(|(place, known, _)| place == namespace && known == name);
            !made.is_some_and(|contents| contents.contains_key(key))
                && !signed.is_some_and(|(_, _, keys)| keys.contains(&key.as_str()))
        });
        missing.map(|(namespace, name, key)| format!("{key} of {namespace}/{name}")).collect::<Vec<_>>()
    });
    ensure_none("nobody makes these", &missing);
}

/// What is made and used by nobody is a password too many.
#[test]
fn every_secret_that_is_made_is_used() {
    let unused = across(|overlay| {
        let referred = references(overlay);
        let unused = of(overlay).into_iter().filter(move |((namespace, name), contents)| {
            // Publishers are the platform's, and an overlay may do without KEDA.
            let is_for_others = name.starts_with("bellhop-broker-producer-") || name == "bellhop-broker-keda";
            let is_used = |key: &String| referred.contains(&(namespace.clone(), name.clone(), key.clone()));
            !is_for_others && !contents.keys().all(is_used)
        });
        unused.map(|((namespace, name), _)| format!("{namespace}/{name}")).collect::<Vec<_>>()
    });
    ensure_none("nobody uses these", &unused);
}

#[test]
fn certificates_are_told_of() {
    let text = fs::read_to_string(kubernetes().join("README.md")).expect("there is a README");
    let silent = CERTIFICATES.iter().filter(|(_, name, _)| !text.contains(&format!("`{name}`")));
    let silent: Vec<String> = silent.map(|(_, name, _)| (*name).to_owned()).collect();
    ensure_none("the README says where these come from", &silent);
}

/// Each user has a password of its own, the same where the broker is told it and where it is used.
#[test]
fn users_have_passwords_of_their_own() {
    let secrets = made(&[]);
    let password = |role: &str| {
        let user = &secrets[&("bellhop-rabbitmq".to_owned(), format!("broker-{role}"))];
        assert_eq!(user["username"], format!("bellhop-{role}"));
        user["password"].clone()
    };
    let roles =
        ["operator", "producer-live", "producer-test", "api", "worker-live", "worker-test", "recorder"];
    let mut passwords: BTreeSet<String> = ["doctor", "keda"].map(password).into();
    for role in roles {
        let used = &secrets[&("bellhop".to_owned(), format!("bellhop-broker-{role}"))]["url"];
        let expected = format!("amqps://bellhop-{role}:{}@rabbitmq.", password(role));
        assert!(used.starts_with(&expected), "{role}");
        passwords.insert(password(role));
    }
    assert_eq!(passwords.len(), roles.len() + 2);
    let again = made(&[]);
    let sealing = ("bellhop".to_owned(), "bellhop-sealing".to_owned());
    assert_ne!(secrets[&sealing], again[&sealing], "keys are made up each time");
    let others = made(&[("BELLHOP_BROKER", "broker.example.com:5671")]);
    assert!(
        others.keys().all(|(namespace, _)| namespace == "bellhop"),
        "nobody else's broker is told passwords"
    );
}
