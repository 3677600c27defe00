//! With a spool everything is accepted while the database is away, and is there once when it is back.

use crate::support::postgres::{Options, Server};
use crate::support::{Cluster, alone, until};
use alone::{Caller, is_taken};
use bridge8890::store::spooled_in;

const SPOOL: &str = "store.spool = 'spool'\n";
const WAITING: &str = "bridge8890_spool_callbacks";

#[tokio::test]
async fn also_what_came_to_both_nodes_and_to_one_that_was_killed() {
    let mut server = Server::start(&Options::default());
    let url = server.create_database("cluster").await;
    let mut cluster = Cluster::over(&url, &url, 2, SPOOL).await;
    let load = cluster.load(8);
    load.some(100).await;
    server.kill9();
    load.some(100).await;
    until("both nodes spool", async || {
        cluster.nodes[0].metric(WAITING).await > 0.0 && cluster.nodes[1].metric(WAITING).await > 0.0
    })
    .await;

    let to_both = Caller::new(1 << 40).take(20);
    for request in &to_both {
        for node in &cluster.nodes {
            let answer = node.post(&request.head.target, request.body.clone()).await;
            assert!(is_taken(request, &answer), "{answer:?}");
            assert_eq!(node.look("/readyz").await.status, 200);
        }
    }

    cluster.balancer.set(0, None);
    cluster.kill9(0).await;
    let spool = cluster.nodes[0].site.path("spool");
    let left = spooled_in(&spool).await.expect("it reads").expect("it is there");
    assert!(left.callbacks >= 20, "{left:?}");
    load.some(100).await;

    server.start_again();
    cluster.restart(0).await;
    load.some(100).await;
    for node in &cluster.nodes {
        until("the spool is empty", async || node.metric(WAITING).await == 0.0).await;
    }
    let mut sent = load.ended().await;
    assert_eq!(sent.busy, 0, "everything is accepted");
    sent.acknowledged.extend(to_both);
    cluster.counted(sent).await;
}
