//! What a walk through the console needs: the whole fleet, endpoints in both modes, and the platform's credential.

use anyhow::Result;
use serde_json::{Value, json};

use crate::api::Api;
use crate::appointment::{APPOINTMENT, ORGANISATION};
use crate::context::{Context, Site};
use crate::receiver::Receiver;
use crate::worker::Worker;

/// What the platform's backend shows.
pub(super) const OPERATOR: &str = "operator_0123456789012345678901234567890123456789";

/// A page asks for more than one thing at once, and every walk comes from one address.
const SETTINGS: [(&str, &str); 5] = [
    ("BELLHOP_API_OPERATOR_CREDENTIAL", OPERATOR),
    ("BELLHOP_API_KEY_REQUESTS_PER_SECOND", "100000"),
    ("BELLHOP_API_KEY_REQUESTS_BURST", "100000"),
    ("BELLHOP_API_ADDRESS_REQUESTS_PER_SECOND", "100000"),
    ("BELLHOP_API_ADDRESS_REQUESTS_BURST", "100000"),
];

/// A fleet with a console.
pub(super) struct Ground {
    pub(super) site: Site,
    pub(super) api: Api,
    /// Endpoints of Test Mode.
    pub(super) plain: Receiver,
    /// Endpoints of live mode.
    pub(super) secure: Receiver,
    _worker: Worker,
    _recorder: Worker,
}

impl Ground {
    /// * `settings`: on top of the usual ones.
    pub(super) async fn prepare(context: &Context, settings: &[(&str, &str)]) -> Result<Self> {
        let site = context.site_with(&[&SETTINGS[..], settings].concat()).await?;
        let (secure, (name, authority)) = context.secure_receiver().await?;
        let plain = context.receiver().await?;
        let worker = site.worker_with(name, &authority).await?;
        let (recorder, api) = (site.recorder().await?, site.api().await?);
        Ok(Self { site, api, plain, secure, _worker: worker, _recorder: recorder })
    }

    /// What every program needs to know, and what this one does.
    pub(super) fn wishes(&self, own: &Value) -> Result<Value> {
        let mut wishes = json!({
            "origin": self.api.url().as_str(),
            "operator": OPERATOR,
            "organisation": ORGANISATION,
            "appointment": serde_json::from_str::<Value>(APPOINTMENT)?,
        });
        for (name, wish) in own.as_object().into_iter().flatten() {
            wishes[name] = wish.clone();
        }
        Ok(wishes)
    }
}
