//! The gateway under test: its configuration, its process, its metrics.

use crate::generator::Connection;
use crate::process::{Process, Usage, free_address};
use crate::secrets;
use anyhow::Context;
use bridge8890::standin::carriers::accounts;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// What a gateway is started with; the same through all its restarts.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The program.
    pub(crate) binary: PathBuf,
    /// Where its store, its configuration and its log are.
    pub(crate) directory: PathBuf,
    /// Where carriers post to.
    pub(crate) http: SocketAddr,
    /// Where its metrics are.
    pub(crate) admin: SocketAddr,
    /// Where it finds the platform.
    pub(crate) platform: SocketAddr,
    /// Whether its campaign holds conversations, so that every answer is held and concluded.
    pub(crate) converses: bool,
    /// The most requests to the platform in a second, if there is a limit.
    pub(crate) rate: Option<u32>,
    /// The database that it shares with other nodes, if its store is not a directory of its own.
    pub(crate) shared: Option<Shared>,
}

/// A database, and what a node needs to work with it.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// As `store.url` names it.
    pub(crate) url: String,
    /// The file of the data key, the same of all nodes.
    pub(crate) key: PathBuf,
    /// Which node it is.
    pub(crate) node: String,
}

/// How long a record is leased in load tests; a record that was on its way when the gateway was
/// killed is sent again after this.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

impl Setup {
    /// A gateway over this directory on free ports.
    pub(crate) fn new(binary: &Path, directory: &Path) -> anyhow::Result<Setup> {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("creating {}", directory.display()))?;
        Ok(Setup {
            binary: binary.to_owned(),
            directory: directory.to_owned(),
            http: free_address()?,
            admin: free_address()?,
            platform: free_address()?,
            converses: false,
            rate: None,
            shared: None,
        })
    }

    /// Where the store is.
    pub(crate) fn store(&self) -> PathBuf {
        self.directory.join("store")
    }

    fn configuration(&self) -> String {
        let Setup { http, admin, platform, rate, shared, .. } = self;
        let rate = rate.map(|rate| format!("rate = {rate}")).unwrap_or_default();
        // A path in debug form is a TOML basic string.
        let store = match shared {
            None => format!("directory = {:?}", self.store()),
            Some(Shared { url, key, node }) => {
                format!("url = {url:?}\nkey = \"file:{}\"\nnode = {node:?}", key.display())
            }
        };
        let (lease, timeout) = (LEASE.as_secs(), LEASE.as_secs() / 2);
        let variable = secrets::PLATFORM_VARIABLE;
        // What is measured is Aliyun's callback alone.
        let accounts = accounts::configuration(&["aliyun-sms"]);
        let conversation =
            if self.converses { "[campaigns.hotline.conversation]" } else { Default::default() };
        format!(
            r#"[http]
listen = ["{http}"]

[admin]
listen = "{admin}"

[store]
{store}

{accounts}
{conversation}
[destination]
name = "platform"
url = "http://{platform}"
allow_http = true
secret = "env:{variable}"
request_timeout = "{timeout}s"
lease = "{lease}s"
{rate}

[destination.backoff]
base = "200ms"
cap = "2s"
max_attempts = 100000

[destination.breaker]
open_for = "200ms"

[log]
filter = "warn"
"#
        )
    }

    /// Makes the tables of a shared database.
    pub(crate) async fn migrate(&self) -> anyhow::Result<()> {
        let file = self.configure()?;
        let mut command = tokio::process::Command::new(&self.binary);
        command.args(["migrate", "--config"]).arg(file);
        command.env(secrets::PLATFORM_VARIABLE, secrets::PLATFORM);
        let output = command.output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "migrating: {said}");
        Ok(())
    }

    fn configure(&self) -> anyhow::Result<PathBuf> {
        let file = self.directory.join("gateway.toml");
        std::fs::write(&file, self.configuration())?;
        Ok(file)
    }

    /// Starts the gateway; it does not yet answer.
    pub(crate) fn start(&self) -> anyhow::Result<Gateway> {
        let file = self.configure()?;
        let arguments = ["serve".as_ref(), "--config".as_ref(), file.as_os_str()];
        let variables = [(secrets::PLATFORM_VARIABLE, secrets::PLATFORM)];
        let process = Process::logged(&self.binary, &arguments, &variables, &self.log())?;
        Ok(Gateway { process, setup: self.clone() })
    }

    /// Starts the gateway and waits until it is ready.
    pub(crate) async fn start_ready(&self) -> anyhow::Result<Gateway> {
        let mut gateway = self.start()?;
        gateway.ready().await.with_context(|| format!("see {}", self.log().display()))?;
        Ok(gateway)
    }

    fn log(&self) -> PathBuf {
        self.directory.join("gateway.log")
    }
}

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    process: Process,
    setup: Setup,
}

impl Gateway {
    /// Waits until `GET /readyz` is 200.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let mut admin = self.process.connect(self.setup.admin).await?;
            if admin.get("/readyz").await.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            self.process.still_starting(deadline)?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the carriers' port is open.
    pub(crate) async fn open(&mut self) -> anyhow::Result<()> {
        self.process.connect(self.setup.http).await.map(drop)
    }

    /// Kills it as a power cut would.
    pub(crate) async fn kill(self) -> anyhow::Result<()> {
        self.process.kill().await
    }

    /// What the kernel says of it.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        self.process.usage()
    }

    /// What it says of its commits.
    pub(crate) async fn commits(&self) -> anyhow::Result<Commits> {
        let page = self.metrics().await?;
        Ok(Commits {
            commits: sum(&page, "bridge8890_store_commits_total").unwrap_or(0.0),
            records: sum(&page, "bridge8890_store_committed_records_total").unwrap_or(0.0),
        })
    }

    /// How many answers it has read as ratings.
    pub(crate) async fn rated(&self) -> anyhow::Result<f64> {
        let rated = "bridge8890_events_total{outcome=\"rated\"}";
        Ok(sum(&self.metrics().await?, rated).unwrap_or(0.0))
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        let mut admin = Connection::open(self.setup.admin).await?;
        let answer = admin.get("/metrics").await.context("reading the gateway's metrics")?;
        Ok(String::from_utf8_lossy(answer.body).into_owned())
    }
}

/// Counters of the gateway's writer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Commits {
    commits: f64,
    records: f64,
}

impl Commits {
    /// Records in each commit since an earlier reading; `None` when there was no commit.
    pub(crate) fn records_each_since(self, before: Commits) -> Option<f64> {
        let commits = self.commits - before.commits;
        (commits > 0.0).then(|| (self.records - before.records) / commits)
    }
}

impl std::ops::AddAssign for Commits {
    fn add_assign(&mut self, other: Commits) {
        self.commits += other.commits;
        self.records += other.records;
    }
}

/// The sum of a metric over all its labels, from a page in the Prometheus text format.
fn sum(page: &str, name: &str) -> Option<f64> {
    let values = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let labelled = rest.starts_with([' ', '{']);
        rest.rsplit(' ').next().filter(|_| labelled)?.parse::<f64>().ok()
    });
    values.reduce(|total, value| total + value)
}

/// The gateway's binary: the one given, or the one beside this program.
///
/// # Errors
/// When it is not there, with the command that builds it.
pub(crate) fn binary(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let beside =
        || -> anyhow::Result<PathBuf> { Ok(std::env::current_exe()?.with_file_name("bridge8890")) };
    let path = given.map_or_else(beside, Ok)?;
    anyhow::ensure!(
        path.is_file(),
        "no gateway at {}; build it with `cargo build --release`, or name it with --gateway",
        path.display()
    );
    Ok(path)
}

/// The bytes that a directory's files take on disk.
pub(crate) fn disk_usage(directory: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut total = 0;
    for entry in std::fs::read_dir(directory)? {
        let metadata = entry?.metadata()?;
        total += if metadata.is_file() { metadata.blocks() * 512 } else { 0 };
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_labels_and_not_over_names() {
        let page = "# HELP a_total Something.\n# TYPE a_total counter\n\
                    a_total{kind=\"x y\"} 2\na_total{kind=\"z\"} 3\na_total_more 100\nb_total 7\n";
        assert_eq!(sum(page, "a_total"), Some(5.0));
        assert_eq!(sum(page, "b_total"), Some(7.0));
        assert_eq!(sum(page, "c_total"), None);
    }

    #[test]
    fn records_per_commit_are_those_between_two_readings() {
        let before = Commits { commits: 10.0, records: 100.0 };
        let after = Commits { commits: 14.0, records: 300.0 };
        assert_eq!(after.records_each_since(before), Some(50.0));
        assert_eq!(after.records_each_since(after), None);
    }
}
