//! Somebody with a key who calls the API of a place.

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::Value;

use crate::api::Call;
use crate::appointment::ORGANISATION;
use crate::context::Site;
use crate::program::Program;
use crate::worker::{Worker, field};

/// The line by which the API tells where it is served; the address is its field `address`.
const SERVING: &str = "serving the API";

/// A `bellhop api` process. Dropping it kills it.
#[derive(Debug)]
pub struct ApiProcess {
    process: Worker,
    url: String,
}

/// Somebody with a key.
#[derive(Debug, Clone)]
pub struct Caller {
    url: String,
    key: String,
}

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body, as it came.
    pub text: String,
    /// The body, read; null when there is none.
    pub body: Value,
    /// The header `retry-after`.
    pub retry_after: Option<String>,
}

impl ApiProcess {
    /// Starts the API in a place and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(site: &Site) -> Result<Self> {
        Self::start_as(site, site.operator.program()).await
    }

    /// The same with another environment.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start_as(site: &Site, program: &Program) -> Result<Self> {
        let program = program.clone().with("BELLHOP_API_LISTEN", "127.0.0.1:0");
        let process = site.launch_as(&program, "api").await?;
        let line = process.logs().await_line(SERVING).await?;
        let address = field(&line, "address").context("the line names no address")?;
        process.await_ready().await?;
        Ok(Self { process, url: format!("http://{address}") })
    }

    /// Where it is, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Worker {
        &self.process
    }

    /// Somebody with a new key, of the organisation whose appointments are published.
    ///
    /// # Errors
    /// With the program's own words.
    pub async fn caller(&self, site: &Site, mode: &str, role: &str) -> Result<Caller> {
        self.caller_of(site, ORGANISATION, mode, role).await
    }

    /// The same of another organisation.
    ///
    /// # Errors
    /// With the program's own words.
    pub async fn caller_of(&self, site: &Site, organisation: &str, mode: &str, role: &str) -> Result<Caller> {
        let key = site.operator.create_key_of(organisation, mode, role).await?;
        Ok(Caller { url: self.url.clone(), key })
    }
}

impl Caller {
    /// Asks for something.
    ///
    /// # Errors
    /// When no answer was had; any status is an answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, String::new()).await
    }

    /// Sends something.
    ///
    /// # Errors
    /// When no answer was had; any status is an answer.
    pub async fn post(&self, path: &str, body: impl Into<String>) -> Result<Answer> {
        self.call(Method::POST, path, body.into()).await
    }

    async fn call(&self, method: Method, path: &str, body: String) -> Result<Answer> {
        let call = Call::to(&self.url.parse()?, method, path).by(&self.key);
        let call =
            if body.is_empty() { call } else { call.header("content-type", "application/json").bytes(body) };
        let answer = call.send().await?;
        let retry_after = answer.headers.get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(ToOwned::to_owned);
        Ok(Answer { status: answer.status, text: answer.text, body: answer.body, retry_after })
    }
}

impl Answer {
    /// Insists on a status.
    ///
    /// # Errors
    /// With what was answered instead.
    pub fn of(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "expected {status}, not {}: {}", self.status, self.text);
        Ok(self)
    }

    /// Insists that a refusal names a field.
    ///
    /// # Errors
    /// With what it names instead.
    pub fn names(self, field: &str) -> Result<Self> {
        let is_named = self.body["errors"][0]["field"] == field;
        ensure!(is_named, "expected a word about `{field}`: {}", self.text);
        Ok(self)
    }
}
