//! The network swallows what nodes and server say to each other: nobody waits for ever, and all goes on when it lets it
//! through again.

use crate::support::postgres::{Options, Proxy, Server};
use crate::support::{Cluster, until};

/// Nodes that give up sooner than they do by default.
const IMPATIENT: &str = "
    store.connect_timeout = '1s'
    store.statement_timeout = '1s'
    store.lock_timeout = '1s'
    store.idle_in_transaction_timeout = '500ms'
    store.acquire_timeout = '1s'
";

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_given_up_and_made_again_when_it_flows() {
    let server = Server::start(&Options::default());
    let url = server.create_database("gateway").await;
    let proxy = Proxy::before(server.address()).await;
    let through = server.url_through(proxy.address(), "gateway");
    let cluster = Cluster::over(&url, &through, 2, IMPATIENT).await;
    let load = cluster.load(6);
    load.some(100).await;
    proxy.hang();
    for node in &cluster.nodes {
        until("it gives up", async || node.look("/readyz").await.status == 503).await;
    }
    // The server has let go of what they held.
    let idle = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    until("nobody holds the place", async || cluster.number(idle).await == 0).await;
    proxy.flow();
    load.some(100).await;
    cluster.counted(load.ended().await).await;
}
