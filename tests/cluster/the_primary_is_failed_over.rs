//! The primary dies and its standby takes its place: nodes find it by themselves, with all that was acknowledged. While the
//! standby is away commits wait for it, and nodes do not wait for them.

use crate::support::postgres::{Options, Proxy, Server};
use crate::support::{Cluster, until};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::sleep;

/// Nodes that give up sooner than they do by default.
const IMPATIENT: &str = "
    store.connect_timeout = '1s'
    store.statement_timeout = '2s'
    store.lock_timeout = '1s'
    store.idle_in_transaction_timeout = '500ms'
";

/// A primary and its standby, whose disk every commit waits for.
async fn pair() -> (Server, Server) {
    let primary = Server::start(&Options::default());
    primary.create_database("gateway").await;
    let standby = Server::standby_of(&primary, &Options::default());
    primary.make_synchronous().await;
    (primary, standby)
}

fn url(hosts: [SocketAddr; 2]) -> String {
    let [one, other] = hosts;
    format!("postgres://bridge8890@{one},{other}/gateway?target_session_attrs=read-write")
}

/// Over both; the test itself goes through a proxy, which it leads to the one that has the database.
async fn cluster(hosts: [SocketAddr; 2], primary: &Server) -> (Cluster, Proxy) {
    let way = Proxy::before(primary.address()).await;
    let ours = primary.url_through(way.address(), "gateway");
    (Cluster::over(&ours, &url(hosts), 2, IMPATIENT).await, way)
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_wait_for_the_standby_and_follow_to_it_with_all_that_was_acknowledged() {
    let (mut primary, mut standby) = pair().await;
    let (cluster, way) = cluster([primary.address(), standby.address()], &primary).await;
    let load = cluster.load(6);
    load.some(50).await;
    standby_is_away(&cluster, &mut standby).await;
    load.some(50).await;

    primary.kill9();
    standby.promote().await;
    way.lead_to(standby.address());
    load.some(100).await;
    everything_has_moved(&cluster).await;
    cluster.counted(load.ended().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_follow_though_the_primarys_machine_vanished_without_a_word() {
    let (primary, standby) = pair().await;
    let machine = Proxy::before(primary.address()).await;
    let (cluster, way) = cluster([machine.address(), standby.address()], &primary).await;
    let load = cluster.load(6);
    load.some(100).await;
    machine.hang();
    drop(primary);
    standby.promote().await;
    way.lead_to(standby.address());
    load.some(100).await;
    everything_has_moved(&cluster).await;
    cluster.counted(load.ended().await).await;
}

/// Each node lives, owns or lets another own, hears and sends, by the server that has the database now.
async fn everything_has_moved(cluster: &Cluster) {
    for node in 0..cluster.nodes.len() {
        // The writer's, the leaser's, the register's, the listener's, and a reader's.
        let connections = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bridge8890 node-{node}'"
        );
        until("all connections are made", async || cluster.number(&connections).await >= 5).await;
    }
    let seen = "SELECT count(*) FROM node WHERE seen_at > extract(epoch FROM now()) * 1000 - 4000";
    until("all nodes are seen", async || cluster.number(seen).await == 2).await;
    until("somebody concludes", async || cluster.owner("dialogue").await.is_some()).await;
    until("all is delivered", async || cluster.number("SELECT count(*) FROM outbox").await < 20)
        .await;
}

/// While its standby is away a primary answers no commit. What waits is given up, and known when it is repeated.
async fn standby_is_away(cluster: &Cluster, standby: &mut Server) {
    standby.stop();
    for node in &cluster.nodes {
        until("it is busy", async || node.look("/readyz").await.status == 503).await;
    }
    // A node has three connections that commit: one commit of each may wait, and makes no other.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    for _ in 0..20 {
        let waiting = cluster.number(waiting).await;
        assert!((1..=6).contains(&waiting), "{waiting}");
        sleep(Duration::from_millis(100)).await;
    }
    standby.start_again();
}
