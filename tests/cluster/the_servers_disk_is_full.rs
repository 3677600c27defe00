//! The server's disk is full: carriers are told to come again, until there is room.

use crate::support::postgres::{Disk, Options, Server};
use crate::support::{Cluster, until};

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_busy_while_there_is_no_room_and_go_on_when_there_is() {
    let Some(disk) = Disk::mount(120) else { return };
    let within = Some(disk.path());
    let server = Server::start(&Options { within, ..Options::default() });
    let url = server.create_database("gateway").await;
    let cluster = Cluster::over(&url, &url, 2, "").await;
    let load = cluster.load(6);
    load.some(50).await;
    disk.fill();
    for node in &cluster.nodes {
        until("it is busy", async || node.look("/readyz").await.status == 503).await;
    }
    disk.relieve();
    load.some(100).await;
    let sent = load.ended().await;
    assert!(sent.busy > 0);
    cluster.counted(sent).await;
}
