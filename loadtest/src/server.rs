//! A PostgreSQL server of our own: a real one, with every commit on disk. `tests/postgres` finds its programs.

use crate::process::{Process, Usage, free_address};
use anyhow::{Context, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::time::Instant;

/// As `loadtest/cluster` sets them. Larger segments than those of tests, as a server has them that was not made for tests.
const SETTINGS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "max_connections=100",
    "shared_buffers=256MB",
    "min_wal_size=512MB",
    "max_wal_size=4GB",
];
const SEGMENT: &str = "--wal-segsize=16";
/// How long it may take until it lets somebody in.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often that is tried.
const STEP: Duration = Duration::from_millis(20);

/// The script that runs PostgreSQL's programs.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/postgres")
}

/// A running server. It is stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    directory: PathBuf,
    address: SocketAddr,
}

impl Server {
    /// A new one in a directory that is made for it; `settings` (`name=value`) go beyond the usual ones, and win.
    pub(crate) async fn start(directory: PathBuf, settings: &[&str]) -> anyhow::Result<Server> {
        std::fs::create_dir(&directory)?;
        let directory = directory.canonicalize()?;
        admit(&directory)?;
        run(&["new".into(), directory.clone().into()])?;
        let data = directory.join("data");
        run(&["run".into(), "pg_resetwal".into(), SEGMENT.into(), data.clone().into()])?;
        let address = free_address()?;
        let mut arguments: Vec<OsString> =
            vec!["child".into(), "postgres".into(), "-D".into(), data.into()];
        let port = format!("port={}", address.port());
        for setting in SETTINGS.iter().chain(settings).copied().chain([port.as_str()]) {
            arguments.extend(["-c".into(), setting.into()]);
        }
        arguments.extend(["-k".into(), directory.clone().into()]);
        let arguments: Vec<_> = arguments.iter().map(OsString::as_os_str).collect();
        let log = directory.join("log");
        let process = Process::logged(&script(), &arguments, &[], &log)?;
        let mut server = Server { process, directory, address };
        server.ready().await.with_context(|| format!("see {}", log.display()))?;
        Ok(server)
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.connect("postgres").await.is_err() {
            self.process.still_starting(deadline)?;
            tokio::time::sleep(STEP).await;
        }
        Ok(())
    }

    /// The superuser's connection.
    pub(crate) async fn connect(&self, database: &str) -> anyhow::Result<PgConnection> {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.address.port())
            .username("postgres")
            .database(database)
            .disable_statement_logging();
        Ok(options.connect().await?)
    }

    /// An empty database that belongs to the gateways' role, as `store.url` names it.
    pub(crate) async fn create(&self, database: &str) -> anyhow::Result<String> {
        self.execute(&format!("CREATE DATABASE {database} OWNER bridge8890")).await?;
        Ok(format!("postgres://bridge8890@{}/{database}", self.address))
    }

    /// Drops a database, and writes what is still to be written for others.
    pub(crate) async fn drop(&self, database: &str) -> anyhow::Result<()> {
        self.execute(&format!("DROP DATABASE {database} WITH (FORCE)")).await?;
        self.execute("CHECKPOINT").await
    }

    async fn execute(&self, statement: &str) -> anyhow::Result<()> {
        let mut connection = self.connect("postgres").await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        Ok(())
    }

    /// What the kernel says of all its processes.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        self.process.family_usage()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.directory.join("data");
        let stop = ["run", "pg_ctl", "--mode=immediate", "--silent", "--pgdata"];
        let stopped = Command::new(script()).args(stop).arg(data).arg("stop").output();
        // What it leaves is in a directory that is thrown away.
        drop(stopped);
    }
}

/// PostgreSQL refuses to run as root: whoever it runs as must get to its directory.
fn admit(directory: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let parent = directory.parent().context("a directory")?;
    for place in [parent, directory] {
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn run(arguments: &[OsString]) -> anyhow::Result<()> {
    let output =
        Command::new(script()).args(arguments).output().context("running tests/postgres")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "tests/postgres {arguments:?}: {said}");
    Ok(())
}
