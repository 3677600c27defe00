//! The schema of a shared database: applied once, whoever asks, and used by whom it says.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, unused_imports, reason = "other tests do more with servers")]
#[path = "support/postgres/mod.rs"]
mod postgres;

use bridge8890::clock::Clock;
use bridge8890::config;
use bridge8890::store::{ConnectError, Migrated, OpenError, Place, examine_server, migrate};
use futures_util::future::join_all;
use postgres::{Login, Options, Server, until};
use sqlx::PgConnection;
use std::time::Duration;

fn shared(url: &str) -> config::Server {
    url.parse().unwrap_or_else(|fault| panic!("{url}: {fault}"))
}

async fn run(url: &str, dry: bool) -> Result<Migrated, OpenError> {
    migrate(&Place::Server(Box::new(shared(url))), dry, |_| ()).await
}

async fn usable(url: &str) -> Result<(), String> {
    let told = examine_server(&shared(url), &Clock::system()).await.expect("it can be asked");
    let (_, state) = told.into_iter().next().expect("one host");
    state.expect("it answers").usable.map_err(|error| error.to_string())
}

/// What a later version of this program would do.
async fn migrate_further(connection: &mut PgConnection, version: i64, works_with: &str) {
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES ($1, 'later', true, '', 0)",
    )
    .bind(version)
    .execute(&mut *connection)
    .await
    .expect("applied");
    sqlx::query("UPDATE meta SET value = convert_to($1, 'UTF8') WHERE key = 'works_with'")
        .bind(works_with)
        .execute(connection)
        .await
        .expect("said");
}

#[tokio::test]
async fn of_nodes_that_migrate_at_once_one_does_it() {
    let server = Server::start(&Options::default());
    let url = server.create_database("gateway").await;
    let before = run(&url, true).await.expect("it is looked at");
    assert_eq!((before.version, before.applied.len()), (None, 0));
    assert!(usable(&url).await.expect_err("empty").contains("run `bridge8890 migrate`"));
    let all = join_all((0..4).map(|_| run(&url, false))).await;
    let all: Vec<Migrated> = all.into_iter().map(|it| it.expect("migrated")).collect();
    let busy: Vec<_> = all.iter().filter(|it| !it.applied.is_empty()).collect();
    assert_eq!(busy.len(), 1, "{all:?}");
    assert_eq!(busy[0].applied, before.pending);
    assert!(all.iter().all(|it| it.pending.is_empty() && it.version == all[0].version));
    assert_eq!(usable(&url).await, Ok(()));
}

#[tokio::test]
async fn an_older_program_uses_a_newer_schema_as_long_as_that_says_so() {
    let server = Server::start(&Options::default());
    let url = server.create_database("gateway").await;
    let own = run(&url, false).await.expect("migrated").version.expect("a version");
    let mut connection = server.superuser("gateway").await;
    migrate_further(&mut connection, 9001, &own.to_string()).await;
    assert_eq!(usable(&url).await, Ok(()));
    let nothing = run(&url, false).await.expect("there is nothing to do");
    assert_eq!((nothing.version, nothing.applied.len()), (Some(9001), 0));
    migrate_further(&mut connection, 9002, "9002").await;
    let refused = usable(&url).await.expect_err("it is no longer compatible");
    assert!(refused.contains("schema version 9002, which this version does not know"), "{refused}");
    assert!(matches!(run(&url, false).await, Err(OpenError::NewerSchema(9002))));
    assert!(matches!(run(&url, true).await, Err(OpenError::NewerSchema(9002))));
}

#[tokio::test]
async fn what_an_operator_can_do_about_a_refusal_is_said() {
    let server = Server::start(&Options { login: Login::Password, ..Options::default() });
    let url = server.create_database("gateway").await;
    let refused = async |server: config::Server| {
        let place = Place::Server(Box::new(server));
        match migrate(&place, true, |_| ()).await {
            Err(OpenError::Connect(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let known = shared(&url);
    let wrong = bridge8890::model::Secret::new(b"wrong".to_vec());
    let error = refused(config::Server { password: Some(wrong), ..known.clone() }).await;
    assert!(matches!(error, ConnectError::Refused(_)), "{error}");
    let error = refused(config::Server { database: "none".to_owned(), ..known.clone() }).await;
    assert!(matches!(error, ConnectError::NoDatabase(_)), "{error}");
    let tls = config::server::Tls { mode: config::server::TlsMode::Require, ..Default::default() };
    let error = refused(config::Server { tls, ..known }).await;
    assert!(matches!(error, ConnectError::Tls(_)), "{error}");
}

#[tokio::test]
async fn a_standby_is_passed_over_until_it_is_promoted() {
    let mut primary = Server::start(&Options::default());
    let url = primary.create_database("gateway").await;
    let standby = Server::standby_of(&primary, &Options::default());
    let hosts = [standby.address(), primary.address()]
        .map(|it| config::server::Host { name: it.ip().to_string(), port: it.port() });
    let both = config::Server { hosts: hosts.to_vec(), ..shared(&url) };
    let place = Place::Server(Box::new(both.clone()));
    migrate(&place, false, |_| ()).await.expect("the primary takes it");
    standby.catch_up_with(&primary).await;
    let told = examine_server(&both, &Clock::system()).await.expect("they can be asked");
    let roles: Vec<bool> =
        told.iter().map(|(_, state)| state.as_ref().expect("it answers").standby).collect();
    assert_eq!(roles, [true, false]);
    primary.kill9();
    match migrate(&place, true, |_| ()).await {
        Err(OpenError::Connect(error @ ConnectError::NotWritable(_))) => {
            assert!(error.may_pass() && error.to_string().contains("is a standby"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    standby.promote().await;
    until("the new primary takes changes", async || {
        migrate(&place, false, |_| ()).await.is_ok_and(|it| it.pending.is_empty())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_hangs_costs_its_timeout_and_no_more() {
    let server = Server::start(&Options::default());
    let url = server.create_database("gateway").await;
    server.pause();
    let mut hung = shared(&url);
    hung.timeouts.connect = Duration::from_millis(200);
    let error = migrate(&Place::Server(Box::new(hung)), true, |_| ()).await.expect_err("it hangs");
    server.resume();
    assert!(error.to_string().contains("no answer within 200ms"), "{error}");
}
