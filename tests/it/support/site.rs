//! Where a gateway is installed: configuration, secrets and store in a directory of their own, and
//! the commands that are run there.

use super::Platform;
use super::platform::SECRET;
use crate::exchange;
use serde::Deserialize;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::Command;
use toml::Table;

/// What every gateway of these tests has in common: any port, short pauses, two accounts without
/// and one with signatures.
const CONFIG: &str = r#"
http.listen = ["127.0.0.1:0"]
admin.listen = "127.0.0.1:0"
store.directory = "data"
store.disk_floor = "16 MiB"
log.json = true

[accounts.aliyun-sms]
carrier = "aliyun-sms"
allow_http = true
default_campaign = "asked"

[accounts.tencent-vms]
carrier = "tencent-vms"
allow_http = true
default_campaign = "asked"

[accounts.yunpian]
carrier = "yunpian"
allow_http = true
secrets = ["file:carrier.secret"]
default_campaign = "asked"

[campaigns.asked]
service_numbers = ["8890*"]
scheme = "asc"
target = "case"
sms_channel_code = 6
ivr_channel_code = 8

[destination]
allow_http = true
secret = "file:platform.key"
backoff = { base = "50ms", cap = "200ms" }
breaker = { open_for = "100ms" }
"#;

/// The configuration, the secrets and the store of one gateway.
pub(crate) struct Site(TempDir);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// What `lane status --json` says.
#[derive(Debug, Deserialize)]
pub(crate) struct Lane {
    pub(crate) callbacks: u64,
    pub(crate) records: u64,
    pub(crate) pending: u64,
    pub(crate) dead: u64,
    pub(crate) delivered: u64,
    pub(crate) repeats: u64,
    pub(crate) adds_up: bool,
}

impl Site {
    /// For a gateway that serves this platform. `own` are further keys of the configuration, as
    /// TOML; they win over the common ones.
    pub(crate) fn new(platform: &Platform, own: &str) -> Site {
        let site = Site(TempDir::new().expect("a directory"));
        site.configure(platform, own);
        site.write("platform.key", SECRET);
        for (name, content) in exchange::SECRET_FILES {
            site.write(name, content);
        }
        site
    }

    /// Writes the configuration anew, for the next start.
    pub(crate) fn configure(&self, platform: &Platform, own: &str) {
        let mut config: Table = CONFIG.parse().expect("TOML");
        let url = format!("destination.url = '{}'", platform.url());
        lay_over(&mut config, url.parse().expect("TOML"));
        lay_over(&mut config, own.parse().expect("TOML"));
        self.write("gateway.toml", config.to_string());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file that nobody else may read.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        use std::io::Write;
        let mut open = std::fs::File::options();
        let file = open.write(true).create(true).truncate(true).mode(0o600).open(self.path(name));
        file.and_then(|mut file| file.write_all(content.as_ref())).expect("written");
    }

    /// A command of the program, in this directory.
    pub(crate) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bridge8890"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command on the configuration to its end.
    pub(crate) async fn run(&self, arguments: &str) -> Done {
        let arguments = arguments.split_whitespace().chain(["--config", "gateway.toml"]);
        Done::of(self.command(arguments)).await
    }

    /// What stands in the lane, after making sure that it adds up.
    pub(crate) async fn lane(&self) -> Lane {
        let status = self.run("lane status --json").await;
        assert_eq!(status.code, Some(0), "{status:?}");
        let lane: Lane = serde_json::from_str(&status.stdout).expect("the status");
        assert!(lane.adds_up, "{lane:?}");
        lane
    }

    /// The bytes of every file of the store.
    pub(crate) fn store(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let listing = std::fs::read_dir(self.path("data")).expect("a store");
        listing
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (path.clone(), std::fs::read(&path).expect("a file")))
            .collect()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("data/bridge8890.db")
    }

    /// The database, beside whoever serves from it.
    pub(crate) async fn open_database(&self) -> SqliteConnection {
        let file = SqliteConnectOptions::new().filename(self.database());
        file.connect().await.expect("it opens")
    }
}

impl Done {
    /// Runs a command to its end.
    pub(crate) async fn of(mut command: Command) -> Done {
        let output = tokio::time::timeout(super::DEADLINE, command.output()).await;
        let output = output.expect("it ends").expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        assert_eq!(output.status.signal(), None, "{}", text(output.stderr));
        Done {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// The JSON objects, one a line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines.map(|line| serde_json::from_str(line).expect("an object")).collect()
    }

    /// The one JSON object.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The keys of `upper` win, table by table.
fn lay_over(lower: &mut Table, upper: Table) {
    for (key, value) in upper {
        match (lower.get_mut(&key), value) {
            (Some(toml::Value::Table(lower)), toml::Value::Table(upper)) => lay_over(lower, upper),
            (_, value) => drop(lower.insert(key, value)),
        }
    }
}

/// The files that the project ships.
pub(crate) fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
