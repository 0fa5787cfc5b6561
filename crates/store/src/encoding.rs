//! How subscriptions are written into the sealed value in Redis.

use bellhop_model::{EndpointUrl, Expansion, Mode, Subscription};
use serde::{Deserialize, Serialize};

use crate::{StoreError, Subscriptions};

/// Raised when the meaning changes. A reader treats any other number as a miss, so fleets may be mixed.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Encoded {
    format: u32,
    version: i64,
    webhooks: Vec<EncodedSubscription>,
}

#[derive(Serialize, Deserialize)]
struct EncodedSubscription {
    id: String,
    url: String,
    event_types: Vec<String>,
    expansion: Vec<String>,
    secrets: Vec<String>,
}

/// Renders subscriptions; the result holds URLs and secrets, so it is only ever sealed.
pub(crate) fn encode(subscriptions: &Subscriptions) -> Vec<u8> {
    let webhooks = subscriptions.all.iter().map(|active| encode_one(&active.subscription)).collect();
    let encoded = Encoded { format: FORMAT, version: subscriptions.version, webhooks };
    serde_json::to_vec(&encoded).expect("texts and numbers always make JSON")
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// [`StoreError::Corrupt`], which never repeats a value.
pub(crate) fn decode(bytes: &[u8], mode: Mode) -> Result<Subscriptions, StoreError> {
    let encoded: Encoded =
        serde_json::from_slice(bytes).map_err(|_| corrupt("the cached subscriptions are of another form"))?;
    if encoded.format != FORMAT {
        return Err(corrupt("the cached subscriptions are of another format"));
    }
    let all: Result<Vec<_>, _> =
        encoded.webhooks.into_iter().map(|webhook| decode_one(&webhook, mode)).collect();
    Ok(Subscriptions::new(encoded.version, all?))
}

fn encode_one(subscription: &Subscription) -> EncodedSubscription {
    EncodedSubscription {
        id: subscription.webhook.to_string(),
        url: subscription.url.expose().to_owned(),
        event_types: subscription.event_types.iter().map(ToString::to_string).collect(),
        expansion: subscription.expansion.names().map(str::to_owned).collect(),
        secrets: subscription.secrets.iter().map(bellhop_model::Secret::expose).collect(),
    }
}

fn decode_one(encoded: &EncodedSubscription, mode: Mode) -> Result<Subscription, StoreError> {
    let mut expansion = Expansion::default();
    for name in &encoded.expansion {
        expansion.add(name).map_err(|_| corrupt("a cached webhook expands an unknown object"))?;
    }
    let event_types = encoded.event_types.iter().map(|text| text.parse()).collect::<Result<_, _>>();
    let secrets = encoded.secrets.iter().map(|text| text.parse()).collect::<Result<_, _>>();
    Ok(Subscription {
        webhook: encoded.id.parse().map_err(|_| corrupt("a cached webhook has a malformed id"))?,
        url: EndpointUrl::parse(&encoded.url, mode)
            .map_err(|_| corrupt("a cached webhook has a malformed URL"))?,
        event_types: event_types.map_err(|_| corrupt("a cached webhook has a malformed event type"))?,
        expansion,
        secrets: secrets.map_err(|_| corrupt("a cached webhook has a malformed secret"))?,
    })
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}

#[cfg(test)]
mod tests {
    use bellhop_model::{Secret, WebhookId};

    use super::*;

    fn subscriptions() -> Subscriptions {
        let subscription = Subscription {
            webhook: WebhookId::from_uuid(&[7; 16]),
            url: EndpointUrl::parse("https://example.org/hook?token=t", Mode::Live).expect("valid"),
            event_types: [
                "appointment.created".parse().expect("valid"),
                "visit.signed".parse().expect("valid"),
            ]
            .into(),
            expansion: Expansion { patient: true, task: false, window: true },
            secrets: vec![Secret::from_random(&[1; 32]), Secret::from_random(&[2; 32])],
        };
        Subscriptions::new(1_700_000_000_000_000, vec![subscription])
    }

    #[test]
    fn subscriptions_survive_their_encoding_and_so_does_having_none() {
        for original in [subscriptions(), Subscriptions::new(0, Vec::new())] {
            let decoded = decode(&encode(&original), Mode::Live).expect("our own encoding");
            assert_eq!(decoded.version, original.version);
            let plain = |subscriptions: &Subscriptions| -> Vec<Subscription> {
                subscriptions.all.iter().map(|active| active.subscription.clone()).collect()
            };
            assert_eq!(plain(&decoded), plain(&original));
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error_and_never_an_empty_list() {
        let text = String::from_utf8(encode(&subscriptions())).expect("JSON");
        let cases = [
            String::new(),
            "{}".to_owned(),
            text.replace("\"format\":1", "\"format\":2"),
            text.replace("https://", "http://"),
            text.replace("whsec_", "key_"),
            text.replace("\"window\"", "\"practitioner\""),
            text.replace("wh_0", "0"),
        ];
        for case in cases {
            assert!(decode(case.as_bytes(), Mode::Live).is_err(), "{case}");
        }
    }
}
