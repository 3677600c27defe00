//! Others have all of the server's connections, or somebody all that a node reads by: who lives and who owns what is known
//! all the same, and callbacks are taken as long as a node has a connection to store them by.

use crate::support::postgres::{Options, Server};
use crate::support::{Cluster, until};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

/// All connections that the role still gets.
async fn take_all(url: &str) -> Vec<PgConnection> {
    let options: PgConnectOptions = url.parse().expect("a URL");
    let mut taken = Vec::new();
    while let Ok(connection) = options.connect().await {
        taken.push(connection);
    }
    taken
}

/// What the register knows, asked by the superuser, who has connections of his own.
async fn ask(server: &Server, question: &'static str) -> i64 {
    let mut connection = server.superuser("gateway").await;
    let number = sqlx::query_scalar(question).fetch_one(&mut connection).await.expect("a number");
    connection.close().await.expect("closed");
    number
}

const SEEN: &str = "SELECT min(seen_at) FROM node";
const TOKENS: &str = "SELECT sum(token)::bigint FROM ownership";

#[tokio::test(flavor = "multi_thread")]
async fn nodes_keep_the_connections_they_have_and_get_new_ones_when_there_are_some() {
    let server = Server::start(&Options { max_connections: 30, ..Options::default() });
    let url = server.create_database("gateway").await;
    let cluster = Cluster::over(&url, &url, 2, "").await;
    let load = cluster.load(6);
    load.some(50).await;
    let taken = take_all(&url).await;
    assert!(!taken.is_empty());
    let before = ask(&server, SEEN).await;
    load.some(100).await;
    until("both are seen", async || ask(&server, SEEN).await > before).await;

    // Those of the nodes end, and there are no others for them.
    server.execute("ALTER DATABASE gateway CONNECTION LIMIT 0").await;
    drop(taken);
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'gateway'";
    server.execute(end).await;
    for node in &cluster.nodes {
        until("it is busy", async || node.look("/readyz").await.status == 503).await;
    }
    server.execute("ALTER DATABASE gateway CONNECTION LIMIT -1").await;
    load.some(100).await;
    cluster.counted(load.ended().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_too_long_keeps_nobody_from_storing_and_owning() {
    let server = Server::start(&Options::default());
    let url = server.create_database("gateway").await;
    let own = "store.readers = 1\nstore.acquire_timeout = '1s'";
    let cluster = Cluster::over(&url, &url, 2, own).await;
    let load = cluster.load(6);
    load.some(50).await;
    let mut other = server.superuser("gateway").await;
    let mut lock = other.begin().await.expect("begun");
    // What lanes look at before they send, and what operators see.
    let tables = sqlx::raw_sql("LOCK TABLE lane_order IN ACCESS EXCLUSIVE MODE");
    tables.execute(&mut *lock).await.expect("locked");
    let stuck = "SELECT count(DISTINCT application_name) FROM pg_stat_activity
                 WHERE wait_event_type = 'Lock' AND application_name LIKE 'bridge8890 %'";
    until("both wait", async || ask(&server, stuck).await == 2).await;
    let (seen, tokens) = (ask(&server, SEEN).await, ask(&server, TOKENS).await);
    load.some(100).await;
    until("both are seen", async || ask(&server, SEEN).await > seen).await;
    assert_eq!(ask(&server, TOKENS).await, tokens, "nobody lost what is his");
    lock.rollback().await.expect("open");
    cluster.counted(load.ended().await).await;
}
