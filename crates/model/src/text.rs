//! Values that travel as text in JSON: written by `Display`, read by `FromStr`, so that what is read is valid.

/// Implements serde for types that are text outside.
macro_rules! serde_as_text {
    ($($name:ty),* $(,)?) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

use crate::{DeliveryId, EventId, EventType, Mode, OrganisationId, RequestId, WebhookId};

serde_as_text!(DeliveryId, EventId, EventType, Mode, OrganisationId, RequestId, WebhookId);
