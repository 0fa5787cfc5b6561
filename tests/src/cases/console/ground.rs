//! What the cases about the console work with: a site, its API, and ways to sign in.

use anyhow::{Context as _, Result};
use bellhop_model::{Mode, Role};
use bellhop_store::{Author, NewKey, NewSignIn, Store};

use crate::api::Api;
use crate::appointment::ORGANISATION;
use crate::context::{Context, Site};
use crate::tab::Tab;

/// Cases ask as fast as they can.
const SETTINGS: [(&str, &str); 4] = [
    ("BELLHOP_API_KEY_REQUESTS_PER_SECOND", "100000"),
    ("BELLHOP_API_KEY_REQUESTS_BURST", "100000"),
    ("BELLHOP_API_ADDRESS_REQUESTS_PER_SECOND", "100000"),
    ("BELLHOP_API_ADDRESS_REQUESTS_BURST", "100000"),
];

/// A site, its API, and a store beside it.
#[derive(Debug)]
pub struct Console {
    /// The place.
    pub site: Site,
    /// What serves the console.
    pub api: Api,
    /// What it looks into.
    pub store: Store,
}

impl Console {
    /// Starts one.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn prepare(context: &Context) -> Result<Self> {
        let site = context.site_with(&SETTINGS).await?;
        let (api, store) = (site.api().await?, site.store()?);
        Ok(Self { site, api, store })
    }

    /// A tab in which nobody is signed in.
    #[must_use]
    pub fn tab(&self) -> Tab {
        Tab::open(self.api.url())
    }

    /// A tab in which a user of the platform is signed in.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn signed_in(&self, role: Role) -> Result<Tab> {
        let token = self.token(ORGANISATION, role).await?;
        let mut tab = self.tab();
        tab.open_link(&token).await?;
        Ok(tab)
    }

    /// A link's token, as the platform's backend is given one.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn token(&self, organisation: &str, role: Role) -> Result<String> {
        let new = NewSignIn {
            role,
            user: "Anna <b>Müller</b>".to_owned(),
            lifetime: std::time::Duration::from_secs(60),
        };
        let organisation = organisation.parse()?;
        let organisation = self.store.organisation(Mode::Test, &organisation, &Author::SYSTEM);
        Ok(organisation.mint_sign_in(&new).await?.token)
    }

    /// A key of an organisation, and its id.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn key(&self, mode: Mode, organisation: &str, role: Role) -> Result<(String, String)> {
        let new = NewKey { role, name: "a case's".to_owned(), lifetime: None };
        let organisation = organisation.parse()?;
        let made = self.store.organisation(mode, &organisation, &Author::SYSTEM).create_key(&new).await?;
        Ok((made.key.expose().to_owned(), made.stored.id.to_string()))
    }

    /// Changes what only time would.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn alter(&self, statement: &str) -> Result<u64> {
        Ok(self.site.place.postgres().await?.execute(statement, &[]).await?)
    }

    /// Adds a webhook in a tab, and gives its id and secret.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn add_webhook(&self, tab: &mut Tab, mode: &str, url: &str) -> Result<(String, String)> {
        let here = format!("/console/{mode}/webhooks/new");
        let form = tab.get(&here).await?.of(200)?.field("form").context("a form")?;
        let fields = [
            ("form", form.as_str()),
            ("url", url),
            ("events", crate::appointment::SCHEDULED),
            ("payload", "full"),
        ];
        let added = tab.submit(&here, &fields).await?.of(200)?;
        let id = added.between(&format!("href=\"/console/{mode}/webhooks/wh_"), "\"")?;
        let secret = added.between("<code>whsec_", "<")?;
        Ok((format!("wh_{id}"), format!("whsec_{secret}")))
    }
}
