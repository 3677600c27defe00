//! A PostgreSQL server of a test's own, in a directory of its own.

use super::tls::Authority;
use super::{DEADLINE, script, told};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The role that gateways log in as. It may create databases, and nothing else.
const ROLE: &str = "bridge8890";
/// The same with its password.
const ROLE_WITH_PASSWORD: &str = "bridge8890:bridge8890";

/// Ports below those that the kernel hands to clients, so that one is free again after a restart.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How clients over TCP show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    /// Not at all.
    Trusted,
    /// By SCRAM-SHA-256.
    Password,
}

/// What a server is started with.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    /// Where its directory is made; the system's place for temporary files if not given.
    pub(crate) within: Option<&'a Path>,
    pub(crate) login: Login,
    /// Only TLS is let in, with a certificate of this authority for `localhost`.
    pub(crate) tls: Option<&'a Authority>,
    /// Of which three are the superuser's.
    pub(crate) max_connections: u16,
    /// More settings, `name=value`; they win.
    pub(crate) settings: &'a [&'a str],
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            within: None,
            login: Login::Trusted,
            tls: None,
            max_connections: 50,
            settings: &[],
        }
    }
}

/// A server. It is stopped at once, and all that it wrote removed, when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    directory: TempDir,
    port: u16,
    settings: Vec<String>,
    /// Who logs in, as it stands in a URL.
    user: &'static str,
    /// What follows the database in its URL.
    query: String,
    postmaster: Option<Child>,
}

impl Server {
    /// A fresh one, that takes connections; every commit of it is on disk.
    pub(crate) fn start(options: &Options<'_>) -> Server {
        let mut server = Server::prepare(options);
        let mut new = script("new");
        new.arg(server.directory.path());
        told(new);
        server.admit(options);
        server.first_start();
        server
    }

    /// One without data.
    pub(super) fn prepare(options: &Options<'_>) -> Server {
        let place = options.within.map_or_else(std::env::temp_dir, PathBuf::from);
        let directory = tempfile::Builder::new().prefix("bridge8890-").tempdir_in(place);
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("max_connections={}", options.max_connections),
            "shared_buffers=32MB".to_owned(),
            "fsync=on".to_owned(),
            "synchronous_commit=on".to_owned(),
            "min_wal_size=8MB".to_owned(),
            "wal_keep_size=32MB".to_owned(),
        ];
        settings.extend(options.settings.iter().map(|&setting| setting.to_owned()));
        let query = options.tls.map(|authority| {
            format!("?sslmode=verify-full&sslrootcert={}", authority.root().display())
        });
        Server {
            directory: directory.expect("a directory"),
            port: 0,
            settings,
            user: match options.login {
                Login::Trusted => ROLE,
                Login::Password => ROLE_WITH_PASSWORD,
            },
            query: query.unwrap_or_default(),
            postmaster: None,
        }
    }

    /// Says who is let in, and how.
    fn admit(&mut self, options: &Options<'_>) {
        let over = if options.tls.is_some() { "hostssl" } else { "host" };
        let method = match options.login {
            Login::Trusted => "trust",
            Login::Password => "scram-sha-256",
        };
        let rules = format!(
            "local all all trust\nlocal replication all trust\n{over} all all 127.0.0.1/32 {method}\n"
        );
        fs::write(self.data().join("pg_hba.conf"), rules).expect("written");
        if let Some(authority) = options.tls {
            let (certificate, key) = authority.certify("localhost");
            self.give("server.crt", &certificate);
            self.give("server.key", &key);
            self.settings.push("ssl=on".to_owned());
        }
    }

    /// Puts a file into the data directory that only the server may read.
    fn give(&self, name: &str, content: &str) {
        let (path, owner) = (self.data().join(name), fs::metadata(self.data()).expect("there"));
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        chown(&path, Some(owner.uid()), Some(owner.gid())).expect("ours");
    }

    /// Starts on a port that nobody has.
    pub(super) fn first_start(&mut self) {
        for port in PORTS.skip(usize::from(self.port_of_this_process())) {
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
                continue;
            }
            self.port = port;
            match self.launch() {
                Ok(()) => return,
                // Another test was quicker.
                Err(log) if log.contains("could not bind") => {}
                Err(log) => panic!("PostgreSQL does not start:\n{log}"),
            }
        }
        panic!("no port is free");
    }

    /// Where to look for a port first: tests that run side by side do not meet.
    fn port_of_this_process(&self) -> u16 {
        let spread = u64::from(std::process::id()) * 97 % (PORTS.len() as u64 / 2);
        u16::try_from(spread).expect("below the number of ports")
    }

    /// Starts it where it was.
    pub(crate) fn start_again(&mut self) {
        self.launch().unwrap_or_else(|log| panic!("PostgreSQL does not start:\n{log}"));
    }

    /// Starts it, and waits until it takes connections; or returns its log.
    fn launch(&mut self) -> Result<(), String> {
        assert!(self.postmaster.is_none(), "it runs already");
        let log = File::create(self.log()).expect("a log");
        let mut command = script("child");
        command.args(["postgres", "-D"]).arg(self.data());
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        command.args(["-c", &format!("port={}", self.port)]);
        command.args(["-k".as_ref(), self.directory.path().as_os_str()]);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        let mut child = command.spawn().expect("tests/postgres runs");
        let deadline = Instant::now() + DEADLINE;
        while !self.is_ready(child.id()) {
            let ended = child.try_wait().expect("a child").is_some();
            if ended || Instant::now() > deadline {
                drop(child.kill());
                return Err(fs::read_to_string(self.log()).expect("a log"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.postmaster = Some(child);
        Ok(())
    }

    /// Whether this process has said in its file that it is ready.
    fn is_ready(&self, process: u32) -> bool {
        let said = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = said.lines().map(str::trim).collect();
        lines.first() == Some(&process.to_string().as_str()) && lines.get(7) == Some(&"ready")
    }

    /// Stops it in order; open transactions are rolled back.
    pub(crate) fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Stops it in order and starts it again.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// Ends all its processes as a power cut would.
    pub(crate) fn kill9(&mut self) {
        let family = self.family();
        self.end(Signal::KILL);
        for &process in &family {
            send(process, Signal::KILL);
        }
        let deadline = Instant::now() + DEADLINE;
        while family.iter().any(|&process| is_alive(process)) {
            assert!(Instant::now() < deadline, "killed processes stay");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(&mut self, signal: Signal) {
        let mut child = self.postmaster.take().expect("it runs");
        kill_process(Pid::from_child(&child), signal).expect("it is ours");
        child.wait().expect("a child");
    }

    /// Stops all its processes where they stand, as a machine that hangs does.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets them go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        for process in self.family() {
            send(process, signal);
        }
    }

    /// Its processes, the first of all first.
    fn family(&self) -> Vec<Pid> {
        let first = Pid::from_child(self.postmaster.as_ref().expect("it runs"));
        let list = format!("/proc/{0}/task/{0}/children", first.as_raw_nonzero());
        let children = fs::read_to_string(list).expect("Linux");
        let children = children.split_whitespace().filter_map(|it| Pid::from_raw(it.parse().ok()?));
        [first].into_iter().chain(children).collect()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// How a gateway reaches a database of it.
    pub(crate) fn url(&self, database: &str) -> String {
        let host = if self.query.is_empty() { "127.0.0.1" } else { "localhost" };
        format!("postgres://{}@{host}:{}/{database}{}", self.user, self.port, self.query)
    }

    /// The same through a proxy.
    pub(crate) fn url_through(&self, proxy: SocketAddr, database: &str) -> String {
        format!("postgres://{}@{proxy}/{database}", self.user)
    }

    /// Makes a database that belongs to the gateways' role; returns its URL.
    pub(crate) async fn create_database(&self, name: &str) -> String {
        self.execute(&format!("CREATE DATABASE {name} OWNER {ROLE}")).await;
        self.url(name)
    }

    /// The superuser's connection, over the socket and so past every proxy.
    pub(crate) async fn superuser(&self, database: &str) -> PgConnection {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(self.directory.path())
            .port(self.port)
            .username("postgres")
            .database(database);
        options.connect().await.expect("it is let in")
    }

    /// Does as the superuser.
    pub(crate) async fn execute(&self, statement: &str) {
        let mut connection = self.superuser("postgres").await;
        let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Asks as the superuser for one value, as text.
    pub(crate) async fn ask(&self, question: &str) -> String {
        let mut connection = self.superuser("postgres").await;
        let question = AssertSqlSafe(format!("SELECT ({question})::text"));
        let row = sqlx::query(question).fetch_one(&mut connection).await.expect("an answer");
        row.get::<Option<String>, _>(0).unwrap_or_default()
    }

    /// The directory of its sockets.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What it has logged since its last start.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.postmaster.is_some() {
            // Not killed: it would leave its shared memory behind. It may be paused.
            self.resume();
            self.end(Signal::QUIT);
        }
    }
}

/// Signals a process that may have ended by now.
fn send(process: Pid, signal: Signal) {
    kill_process(process, signal).ok();
}

/// Whether a process runs; one that has ended and that nobody has waited for does not.
fn is_alive(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}
