//! The one server that all tests share, and a database of it for each.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Command;
use std::thread;

/// Names another server, for example one of another version. Its role must be allowed to create
/// databases.
const VARIABLE: &str = "BRIDGE8890_TEST_POSTGRES";

/// A command of `tests/postgres`.
pub(super) fn script(verb: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("tests/postgres"));
    command.arg(verb);
    command
}

/// Runs a command of `tests/postgres` to its end; returns what it printed.
pub(super) fn told(mut command: Command) -> String {
    let output = command.output().expect("tests/postgres runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// The URL of the shared server, which is started if it does not run.
pub(crate) fn shared() -> String {
    let url = std::env::var(VARIABLE).unwrap_or_else(|_| told(script("start")));
    url.trim().to_owned()
}

/// A database of a test's own. It is dropped with its content.
#[derive(Debug)]
pub(crate) struct Database {
    server: String,
    name: String,
}

impl Database {
    /// A copy of a template, which `make` fills the first time that anybody asks for it: it is
    /// given a URL, and leaves no connection open. A template that was made with other migrations
    /// is another one.
    pub(crate) async fn copy_of(template: &str, make: impl AsyncFnOnce(&str)) -> Database {
        let server = shared();
        let template = format!("{template}_{:016x}", migrations());
        let mut connection = connect(&server).await;
        make_template(&mut connection, &server, &template, make).await;
        let name = "SELECT 'test_' || replace(gen_random_uuid()::text, '-', '')";
        let name: String =
            sqlx::query_scalar(name).fetch_one(&mut connection).await.expect("a name");
        execute(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        connection.close().await.expect("closed");
        Database { server, name }
    }

    /// How it is reached.
    pub(crate) fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // The test's own runtime is not to be waited on here.
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut connection = connect(&server).await;
                // The server's own vacuum may be in there for a moment, and is nobody's to end.
                for _ in 0..100 {
                    let drop_it = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
                    if sqlx::raw_sql(drop_it).execute(&mut connection).await.is_ok() {
                        return;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
                panic!("the database {name} cannot be dropped");
            });
        };
        let dropped = thread::spawn(drop_it).join();
        assert!(dropped.is_ok() || thread::panicking(), "the database is dropped");
    }
}

/// Makes the template unless it is there; of those who ask at once, one does.
async fn make_template(
    connection: &mut PgConnection,
    server: &str,
    template: &str,
    make: impl AsyncFnOnce(&str),
) {
    execute(connection, "SELECT pg_advisory_lock(8890)".to_owned()).await;
    let made = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    let made = sqlx::query_scalar::<_, bool>(made).bind(template).fetch_one(&mut *connection);
    if !made.await.expect("an answer") {
        let unfinished = format!("{template}_unfinished");
        let forget = format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)");
        execute(connection, forget).await;
        execute(connection, format!("CREATE DATABASE {unfinished} TEMPLATE template0")).await;
        make(&with_database(server, &unfinished)).await;
        let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = ";
        execute(connection, format!("{end}'{unfinished}' AND usename = current_user")).await;
        execute(connection, format!("ALTER DATABASE {unfinished} RENAME TO {template}")).await;
    }
    execute(connection, "SELECT pg_advisory_unlock(8890)".to_owned()).await;
}

async fn connect(url: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().expect("a URL");
    options.connect().await.unwrap_or_else(|error| panic!("the shared server: {error}"))
}

async fn execute(connection: &mut PgConnection, statement: String) {
    let done = sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// The same server, another database.
fn with_database(url: &str, database: &str) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = place.rsplit_once('/').expect("a database in the URL");
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{server}/{database}{mark}{query}")
}

/// What tells one state of the schema from another.
fn migrations() -> u64 {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let files = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let mut hasher = DefaultHasher::new();
    for path in paths {
        fs::read(path).expect("a migration").hash(&mut hasher);
    }
    hasher.finish()
}
