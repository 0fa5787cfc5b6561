//! What a case is given: places, workers and receivers, all of which end with it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::sync::OwnedSemaphorePermit;

use bellhop_store::{SealingKeys, ServerUrl, Store, StoreOptions};

use crate::amqp::Amqp;
use crate::api::Api;
use crate::cluster::Cluster;
use crate::fleet::Fleet;
use crate::operator::Operator;
use crate::place::Place;
use crate::program::Program;
use crate::receiver::Receiver;
use crate::stack::{Addresses, Service, Stack};
use crate::worker::{Logs, Worker};

/// One case's access to everything. Clones are the same.
#[derive(Debug, Clone)]
pub struct Context {
    fleet: Arc<Fleet>,
    kept: Arc<Mutex<Kept>>,
}

/// What must be cleared away, or told about, when the case is over.
#[derive(Debug, Default)]
struct Kept {
    /// Each with the servers that no other place is on.
    places: Vec<(Arc<Place>, Vec<Service>)>,
    logs: Vec<Logs>,
    cluster: Option<OwnedSemaphorePermit>,
}

/// A place with the program in it, tables and queues made.
#[derive(Debug)]
pub struct Site {
    /// Somebody at the command line.
    pub operator: Operator,
    /// Where it is.
    pub place: Arc<Place>,
    context: Context,
}

impl Context {
    pub(crate) fn new(fleet: Arc<Fleet>) -> Self {
        Self { fleet, kept: Arc::default() }
    }

    /// A place on the shared servers with tables and queues.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn site(&self) -> Result<Site> {
        self.site_with(&[]).await
    }

    /// The same, with environment variables on top of the usual ones.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn site_with(&self, settings: &[(&str, &str)]) -> Result<Site> {
        self.prepared(self.shared_place(settings).await?).await
    }

    /// The same, with the servers of another stack in place of the shared ones, where they may be ill-treated.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn site_on(&self, stack: &Stack) -> Result<Site> {
        self.site_on_with(stack, &[]).await
    }

    /// The same, with environment variables on top of the usual ones.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn site_on_with(&self, stack: &Stack, settings: &[(&str, &str)]) -> Result<Site> {
        let addresses = stack.addresses_among(self.fleet.addresses().await?);
        self.prepared(self.place(addresses, settings, stack.services()).await?).await
    }

    /// The same, with RabbitMQ from a cluster and environment variables on top of the usual ones.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn site_on_cluster(&self, cluster: &Cluster, settings: &[(&str, &str)]) -> Result<Site> {
        let Addresses { amqp, management, .. } = cluster.addresses().clone();
        let addresses = Addresses { amqp, management, ..self.fleet.addresses().await? };
        self.prepared(self.place(addresses, settings, &[Service::Rabbitmq]).await?).await
    }

    /// A place on the shared servers with nothing in it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn bare_place(&self) -> Result<Arc<Place>> {
        self.shared_place(&[]).await
    }

    /// Servers that no other case uses.
    ///
    /// # Errors
    /// When they do not start.
    pub async fn private_stack(&self, services: &[Service]) -> Result<Stack> {
        Stack::start(self.fleet.ground()?, services).await
    }

    /// A cluster that no other case uses; whoever else wants one waits until this case is over.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn private_cluster(&self) -> Result<Cluster> {
        let permit = self.fleet.cluster_permit().await;
        self.kept().cluster = Some(permit);
        Cluster::start(self.fleet.ground()?).await
    }

    /// The program under test, freshly built.
    ///
    /// # Errors
    /// When it does not build.
    pub async fn binary(&self) -> Result<PathBuf> {
        self.fleet.binary().await
    }

    /// Makes sure that the reference receivers and publishers of other languages can run.
    ///
    /// * returns the folder in which their interpreters and libraries lie.
    ///
    /// # Errors
    /// When they cannot be installed.
    pub async fn tools(&self) -> Result<PathBuf> {
        self.fleet.tools().await
    }

    /// A file in the throwaway folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn scratch_file(&self, name: &str, content: &str) -> Result<PathBuf> {
        self.fleet.ground()?.scratch_file(name, content)
    }

    /// A folder in the throwaway folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn scratch_folder(&self) -> Result<PathBuf> {
        let folder = self.fleet.ground()?.stack_folder();
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// A receiver; it ends with the returned value.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn receiver(&self) -> Result<Receiver> {
        Receiver::start().await
    }

    /// A receiver that speaks TLS; it ends with the returned value.
    ///
    /// * returns the receiver, and the setting by which a worker trusts it.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn secure_receiver(&self) -> Result<(Receiver, (&'static str, String))> {
        let (receiver, authority) = Receiver::start_secure().await?;
        let file = self.scratch_file(&format!("authority-{}.pem", receiver.address().port()), &authority)?;
        Ok((receiver, ("BELLHOP_SENDER_CA_FILE", file.display().to_string())))
    }

    /// Clears the case's places away. Later cases are not bothered by what could not be cleared.
    pub(crate) async fn clear(&self) {
        let places = std::mem::take(&mut self.kept().places);
        for (place, private) in places {
            if let Err(error) = place.clear(&private).await {
                eprintln!("could not clear a place: {error:#}");
            }
        }
        self.kept().cluster = None;
    }

    /// The ends of the logs of the case's workers, for a failure.
    pub(crate) fn tails(&self) -> String {
        let kept = self.kept();
        let tails = kept.logs.iter().enumerate();
        tails.map(|(number, logs)| format!("\n--- log of worker {number}\n{}", logs.tail())).collect()
    }

    /// Where a worker's log goes, so that it is told about should the case fail.
    fn logs(&self) -> Logs {
        let logs = Logs::default();
        self.kept().logs.push(logs.clone());
        logs
    }

    async fn shared_place(&self, settings: &[(&str, &str)]) -> Result<Arc<Place>> {
        let addresses = self.fleet.addresses().await?;
        self.place(addresses, settings, &[]).await
    }

    async fn place(
        &self,
        addresses: Addresses,
        settings: &[(&str, &str)],
        private: &[Service],
    ) -> Result<Arc<Place>> {
        let place = Arc::new(Place::make(addresses, settings).await?);
        self.kept().places.push((Arc::clone(&place), private.to_vec()));
        Ok(place)
    }

    async fn prepared(&self, place: Arc<Place>) -> Result<Site> {
        let binary = self.binary().await?;
        let operator = Operator::new(&binary, &place);
        operator.prepare().await?;
        Ok(Site { operator, place, context: self.clone() })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Site {
    /// Starts a worker and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn worker(&self) -> Result<Worker> {
        Worker::start(self.operator.program(), self.context.logs()).await
    }

    /// Starts a worker with one variable set otherwise and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn worker_with(&self, name: &str, value: &str) -> Result<Worker> {
        let program = self.operator.program().clone().with(name, value);
        Worker::start(&program, self.context.logs()).await
    }

    /// Starts a worker with another environment and waits until it answers probes, ready or not.
    ///
    /// # Errors
    /// When it ends before that.
    pub async fn launch_worker_as(&self, program: &Program) -> Result<Worker> {
        Worker::launch(program, self.context.logs()).await
    }

    /// Starts another command that serves probes and drains, and waits until it answers them, ready or not.
    ///
    /// # Errors
    /// When it ends before that.
    pub async fn launch_as(&self, program: &Program, command: &str) -> Result<Worker> {
        Worker::launch_command(program, command, self.context.logs()).await
    }

    /// Starts a recorder and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn recorder(&self) -> Result<Worker> {
        self.recorder_as(self.operator.program()).await
    }

    /// Starts a recorder with another environment and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn recorder_as(&self, program: &Program) -> Result<Worker> {
        let recorder = Worker::launch_command(program, "recorder", self.context.logs()).await?;
        recorder.await_ready().await?;
        Ok(recorder)
    }

    /// Starts the API and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn api(&self) -> Result<Api> {
        self.api_as(self.operator.program()).await
    }

    /// Starts the API with another environment and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn api_as(&self, program: &Program) -> Result<Api> {
        Api::start(program, self.context.logs()).await
    }

    /// A store of our own where the site's processes have theirs.
    ///
    /// # Errors
    /// When an address is wrong.
    pub fn store(&self) -> Result<Store> {
        let keys = SealingKeys::parse(&self.place.addresses().sealing_key)?;
        let (postgres, redis) = (self.place.postgres_url(), self.place.redis_url());
        let mut options = StoreOptions::new(ServerUrl::new(postgres), ServerUrl::new(redis), keys);
        options.redis.key_prefix = self.place.environment()["BELLHOP_REDIS_KEY_PREFIX"].clone();
        Ok(Store::open(&options)?)
    }

    /// A connection of our own to the place's virtual host.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn amqp(&self) -> Result<Amqp> {
        Amqp::connect(&self.place.amqp_url()).await
    }

    /// Stops the last worker and insists that no delivery is owed any more.
    ///
    /// The worker goes first, because what it holds unsettled is in no queue that one could look into.
    ///
    /// # Errors
    /// When it does not drain, or something is left in a queue.
    pub async fn ensure_nothing_owed(&self, last: Worker) -> Result<()> {
        last.drain().await?;
        let waits = &self.place.environment()["BELLHOP_RETRY_WAITS"];
        let queues = crate::queues::owed(waits);
        self.amqp().await?.ensure_empty(queues.iter().map(String::as_str)).await
    }
}
