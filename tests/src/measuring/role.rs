//! A process that plays a part: started, measured from outside, and told to stop.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::stack::Stack;

/// Linux counts CPU time in hundredths of a second towards programs, whatever the kernel was built with.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// How long a role may take to say its line, or to end when it is told to.
const ROLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A process that plays a part. Dropping it kills it.
#[derive(Debug)]
pub struct Role {
    name: String,
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: PathBuf,
}

/// A process as the kernel accounts for it.
#[derive(Debug, Clone, Copy)]
pub struct Pid(pub u32);

impl Role {
    /// Starts a program; it dies with this one, however that ends.
    ///
    /// * `log`: the file that its standard error is written to, as a supervisor would collect it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &Command, log: &Path) -> Result<Self> {
        let mut guarded = Command::new("setpriv");
        guarded.args(["--pdeathsig", "KILL", "--"]).arg(command.as_std().get_program());
        guarded.args(command.as_std().get_args()).env_clear();
        guarded.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (variable, value) in command.as_std().get_envs() {
            guarded.env(variable, value.unwrap_or_default());
        }
        let stderr = File::create(log).with_context(|| log.display().to_string())?;
        guarded.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
        let mut child = guarded.spawn().with_context(|| format!("start {name}"))?;
        let stdout = child.stdout.take().context("a role has a standard output")?;
        Ok(Self { name: name.to_owned(), child, stdout: BufReader::new(stdout), log: log.to_owned() })
    }

    /// Starts this very program in another role.
    ///
    /// * `plan`: written to a file beside the log, which is the role's argument; [`read_plan`] reads it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_own(name: &str, plan: &impl Serialize, log: &Path) -> Result<Self> {
        let file = log.with_extension("json");
        std::fs::write(&file, serde_json::to_vec(plan)?).with_context(|| file.display().to_string())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(name).arg(file);
        Self::start(name, &command, log)
    }

    /// What the kernel knows it by.
    ///
    /// # Errors
    /// When it has ended, with the end of its log.
    pub fn pid(&self) -> Result<Pid> {
        self.child.id().map(Pid).with_context(|| format!("{} has ended: {}", self.name, self.tail()))
    }

    /// Waits for the next line that it prints, in JSON.
    ///
    /// * `deadline`: the longest wait.
    ///
    /// # Errors
    /// When it says nothing in time, or something else.
    pub async fn told<T: DeserializeOwned>(&mut self, deadline: Duration) -> Result<T> {
        let mut line = String::new();
        let reading = timeout(deadline, self.stdout.read_line(&mut line)).await;
        reading.with_context(|| format!("{} says nothing: {}", self.name, self.tail()))??;
        serde_json::from_str(&line).with_context(|| format!("{} says `{line}`: {}", self.name, self.tail()))
    }

    /// Insists that it still runs.
    ///
    /// # Errors
    /// With the end of its log when it does not.
    pub fn ensure_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended, {status}: {}", self.name, self.tail()),
        }
    }

    /// Asks it to finish what it has in hand, and waits until it is gone.
    ///
    /// # Errors
    /// When it does not end in time, or ends badly.
    pub async fn stop(mut self) -> Result<()> {
        let Pid(pid) = self.pid()?;
        let status = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        ensure!(status.success(), "{} cannot be signalled", self.name);
        let ended = timeout(ROLE_TIMEOUT, self.child.wait()).await;
        let ended = ended.with_context(|| format!("{} does not stop", self.name))??;
        ensure!(ended.success(), "{} ended, {ended}: {}", self.name, self.tail());
        Ok(())
    }

    fn tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Pid {
    /// The process that is RabbitMQ.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn of_broker(stack: &Stack) -> Result<Self> {
        let told = stack.ctl(&["eval", "os:getpid()."]).await?;
        let digits: String = told.chars().filter(char::is_ascii_digit).collect();
        digits.parse().map(Self).with_context(|| format!("the broker's process id: {told}"))
    }

    /// CPU time so far, user and system, of all its threads.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn cpu(self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.0);
        let stat = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        // The second field is the program's name in parentheses, which may hold blanks.
        let (_, fields) = stat.rsplit_once(')').with_context(|| path.clone())?;
        let ticks: Vec<u32> =
            fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(TICK * ticks.iter().sum())
    }

    /// The most memory that it ever had resident, in bytes.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn rss_peak(self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    /// The memory that it has resident now, in bytes.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn rss(self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    fn memory(self, field: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.0);
        let status = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let line = line.with_context(|| format!("{path} has no {field}"))?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().with_context(|| line.to_owned())?;
        Ok(kibibytes * 1024)
    }
}

/// Reads what [`Role::start_own`] wrote.
///
/// # Errors
/// When it is no such plan.
pub fn read_plan<T: DeserializeOwned>(file: &str) -> Result<T> {
    let text = std::fs::read_to_string(file).with_context(|| file.to_owned())?;
    serde_json::from_str(&text).with_context(|| format!("read the plan {file}"))
}

/// CPU time that the whole machine has used so far, in all processes and in the kernel, and lost to its host.
///
/// # Errors
/// When the kernel does not tell.
pub fn machine_cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/stat").context("read /proc/stat")?;
    let line = stat.lines().next().context("/proc/stat is empty")?;
    let fields: Vec<u32> = line.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
    // user nice system idle iowait irq softirq steal; what follows is counted in user already.
    let is_idle = |index: &usize| matches!(index, 3 | 4);
    let busy = fields.iter().take(8).enumerate().filter(|(index, _)| !is_idle(index));
    Ok(TICK * busy.map(|(_, ticks)| *ticks).sum())
}
