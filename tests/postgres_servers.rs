//! The servers that other tests rely on do what their verbs say.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/postgres/mod.rs"]
mod postgres;

use postgres::{Authority, Database, Disk, Login, Options, Proxy, Server, When, shared};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

async fn connect(url: &str) -> PgConnection {
    try_connect(url).await.expect("it is let in")
}

async fn try_connect(url: &str) -> sqlx::Result<PgConnection> {
    url.parse::<PgConnectOptions>().expect("a URL").connect().await
}

async fn do_(connection: &mut PgConnection, statement: &'static str) -> sqlx::Result<()> {
    sqlx::raw_sql(statement).execute(connection).await.map(drop)
}

async fn count(url: &str) -> i64 {
    let counted = sqlx::query_scalar("SELECT count(*) FROM answer");
    counted.fetch_one(&mut connect(url).await).await.expect("a count")
}

#[tokio::test]
async fn a_killed_server_comes_back_with_what_it_committed() {
    let mut server = Server::start(&Options::default());
    let url = server.create_database("gateway").await;
    let mut connection = connect(&url).await;
    do_(&mut connection, "CREATE TABLE answer (level int)").await.expect("made");
    do_(&mut connection, "INSERT INTO answer VALUES (5)").await.expect("committed");
    server.kill9();
    do_(&mut connection, "SELECT 1").await.expect_err("its server is gone");
    server.start_again();
    assert_eq!(count(&url).await, 1);
    server.restart();
    server.pause();
    server.resume();
    assert_eq!(count(&url).await, 1);
}

#[tokio::test]
async fn a_synchronous_standby_has_every_commit_and_takes_over() {
    let mut primary = Server::start(&Options::default());
    primary.create_database("gateway").await;
    let standby = Server::standby_of(&primary, &Options::default());
    primary.make_synchronous().await;
    let mut connection = connect(&primary.url("gateway")).await;
    do_(&mut connection, "CREATE TABLE answer (level int)").await.expect("made");
    do_(&mut connection, "INSERT INTO answer VALUES (5)").await.expect("committed");
    standby.catch_up_with(&primary).await;
    let mut reader = connect(&standby.url("gateway")).await;
    do_(&mut reader, "DELETE FROM answer").await.expect_err("it follows");
    do_(&mut connection, "INSERT INTO answer VALUES (1)").await.expect("committed");
    primary.kill9();
    standby.promote().await;
    assert_eq!(count(&standby.url("gateway")).await, 2);
    do_(&mut reader, "DELETE FROM answer").await.expect("it leads");
}

#[tokio::test]
async fn a_commit_is_cut_before_it_is_heard_or_before_it_is_answered() {
    let server = Server::start(&Options::default());
    let url = server.create_database("gateway").await;
    do_(&mut connect(&url).await, "CREATE TABLE answer (level int)").await.expect("made");
    let proxy = Proxy::before(server.address()).await;
    let url_through = server.url_through(proxy.address(), "gateway");
    for (when, kept) in [(When::BeforeItIsHeard, 0), (When::BeforeItIsAnswered, 1)] {
        proxy.cut_at("COMMIT", when, 1);
        let mut connection = connect(&url_through).await;
        let mut transaction = connection.begin().await.expect("begun");
        do_(&mut transaction, "INSERT INTO answer VALUES (5)").await.expect("inserted");
        transaction.commit().await.expect_err("nobody answers");
        assert_eq!((proxy.still_to_cut(), count(&url).await), (0, kept), "{when:?}");
    }

    let mut connection = connect(&url_through).await;
    proxy.hang();
    {
        let asked = do_(&mut connection, "INSERT INTO answer VALUES (4)");
        tokio::pin!(asked);
        tokio::select! {
            biased;
            _ = &mut asked => panic!("it hangs"),
            rows = count(&url) => assert_eq!(rows, 1),
        }
        proxy.flow();
        asked.await.expect("it was only late");
    }
    proxy.refuse();
    do_(&mut connection, "SELECT 1").await.expect_err("it is cut");
    try_connect(&url_through).await.expect_err("nobody is let in");
    proxy.lead_to(server.address());
    proxy.flow();
    assert_eq!(count(&url_through).await, 2);
    let mut connection = connect(&url_through).await;
    proxy.cut();
    do_(&mut connection, "SELECT 1").await.expect_err("it is cut");
}

#[tokio::test]
async fn certificate_and_password_are_looked_at() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let tls = Some(&authority);
    let server = Server::start(&Options { login: Login::Password, tls, ..Options::default() });
    let url = server.create_database("gateway").await;
    do_(&mut connect(&url).await, "SELECT 1").await.expect("it is let in");
    let root = |authority: &Authority| authority.root().to_str().expect("text").to_owned();
    for (right, wrong) in [
        (root(&authority), root(&stranger)),
        ("localhost".to_owned(), "127.0.0.1".to_owned()),
        (":bridge8890@".to_owned(), ":guessed@".to_owned()),
        ("sslmode=verify-full".to_owned(), "sslmode=disable".to_owned()),
    ] {
        let wrong = url.replace(&right, &wrong);
        assert_ne!(wrong, url);
        try_connect(&wrong).await.expect_err(&wrong);
    }
}

#[tokio::test]
async fn a_full_disk_fails_and_is_got_over() {
    let Some(disk) = Disk::mount(100) else { return };
    let within = Some(disk.path());
    let server = Server::start(&Options { within, ..Options::default() });
    let url = server.create_database("gateway").await;
    let mut connection = connect(&url).await;
    do_(&mut connection, "CREATE TABLE answer (level int)").await.expect("made");
    disk.fill();
    let much = "INSERT INTO answer SELECT generate_series(1, 1000000)";
    do_(&mut connection, much).await.expect_err("no room");
    disk.relieve();
    postgres::until("it recovers", async || try_connect(&url).await.is_ok()).await;
    do_(&mut connect(&url).await, "INSERT INTO answer VALUES (5)").await.expect("room");
    assert_eq!(count(&url).await, 1);
}

#[tokio::test]
async fn every_test_has_a_copy_of_a_template_that_is_made_once() {
    let make = async |url: &str| {
        let mut connection = connect(url).await;
        do_(&mut connection, "CREATE TABLE answer (level int)").await.expect("made");
        do_(&mut connection, "INSERT INTO answer VALUES (5)").await.expect("committed");
    };
    let one = Database::copy_of("tried", make).await;
    let never = async |_: &str| panic!("it is made already");
    let other = Database::copy_of("tried", never).await;
    do_(&mut connect(&one.url()).await, "DELETE FROM answer").await.expect("it is ours");
    assert_eq!((count(&one.url()).await, count(&other.url()).await), (0, 1));
    let name = one.url().rsplit('/').next().expect("a name").to_owned();
    drop(one);
    let left = "SELECT count(*) FROM pg_database WHERE datname = $1";
    let left = sqlx::query_scalar::<_, i64>(left).bind(name);
    assert_eq!(left.fetch_one(&mut connect(&shared()).await).await.expect("a count"), 0);
}
