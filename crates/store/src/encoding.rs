//! How subscriptions are written into the sealed value in Redis.

use bellhop_model::{EndpointUrl, Mode, PayloadLevel, SigningSecret, Subscription};
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
    /// The payload level in words. A program from before there was a choice takes a copy with `id_only` for unreadable,
    /// like the row it was made from.
    expansion: Vec<String>,
    secrets: Vec<String>,
    /// Unix seconds at which each secret but the first ends. A program from before secrets could end writes none; a copy
    /// of its with two secrets is then taken for unreadable, and the truth is asked. It reads ours and passes this over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets_until: Vec<i64>,
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
        expansion: subscription.payload.words().map(str::to_owned).collect(),
        secrets: subscription.secrets.iter().map(|signing| signing.secret.expose()).collect(),
        secrets_until: subscription.secrets.iter().filter_map(|signing| signing.until).collect(),
    }
}

fn decode_one(encoded: &EncodedSubscription, mode: Mode) -> Result<Subscription, StoreError> {
    let payload = PayloadLevel::from_words(encoded.expansion.iter().map(String::as_str));
    let event_types = encoded.event_types.iter().map(|text| text.parse()).collect::<Result<_, _>>();
    Ok(Subscription {
        webhook: encoded.id.parse().map_err(|_| corrupt("a cached webhook has a malformed id"))?,
        url: EndpointUrl::parse(&encoded.url, mode)
            .map_err(|_| corrupt("a cached webhook has a malformed URL"))?,
        event_types: event_types.map_err(|_| corrupt("a cached webhook has a malformed event type"))?,
        payload: payload.map_err(|_| corrupt("a cached webhook has an unknown payload level"))?,
        secrets: decode_secrets(encoded)?,
    })
}

fn decode_secrets(encoded: &EncodedSubscription) -> Result<Vec<SigningSecret>, StoreError> {
    let EncodedSubscription { secrets, secrets_until, .. } = encoded;
    if secrets.len() != secrets_until.len() + 1 {
        return Err(corrupt("a cached webhook has a secret of which nobody knows when it ends"));
    }
    let ends = std::iter::once(None).chain(secrets_until.iter().copied().map(Some));
    let decode = |(text, until): (&String, Option<i64>)| {
        let secret = text.parse().map_err(|_| corrupt("a cached webhook has a malformed secret"))?;
        Ok(SigningSecret { secret, until })
    };
    secrets.iter().zip(ends).map(decode).collect()
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}

#[cfg(test)]
mod tests {
    use bellhop_model::{Expansion, Secret, WebhookId};

    use super::*;

    fn subscriptions(payload: PayloadLevel) -> Subscriptions {
        let subscription = Subscription {
            webhook: WebhookId::from_uuid(&[7; 16]),
            url: EndpointUrl::parse("https://example.org/hook?token=t", Mode::Live).expect("valid"),
            event_types: [
                "appointment.created".parse().expect("valid"),
                "visit.signed".parse().expect("valid"),
            ]
            .into(),
            payload,
            secrets: vec![
                Secret::from_random(&[1; 32]).into(),
                SigningSecret { secret: Secret::from_random(&[2; 32]), until: Some(1_700_000_000) },
            ],
        };
        Subscriptions::new(1_700_000_000_000_000, vec![subscription])
    }

    fn expanding() -> Subscriptions {
        subscriptions(PayloadLevel::Full(Expansion { patient: true, task: false, window: true }))
    }

    #[test]
    fn subscriptions_survive_their_encoding_and_so_does_having_none() {
        for original in [expanding(), subscriptions(PayloadLevel::IdOnly), Subscriptions::new(0, Vec::new())]
        {
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
        let text = String::from_utf8(encode(&expanding())).expect("JSON");
        let cases = [
            String::new(),
            "{}".to_owned(),
            text.replace("\"format\":1", "\"format\":2"),
            text.replace("https://", "http://"),
            text.replace("whsec_", "key_"),
            text.replace("[1700000000]", "[]"),
            text.replace("\"window\"", "\"practitioner\""),
            text.replace("\"window\"", "\"id_only\""),
            text.replace("wh_0", "0"),
        ];
        for case in cases {
            assert!(decode(case.as_bytes(), Mode::Live).is_err(), "{case}");
        }
    }
}
