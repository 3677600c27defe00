//! PostgreSQL stops, restarts and dies under nodes that go on: carriers are told to come again, each in its own words, and
//! are heard again as soon as it is back.

use crate::support::alone::{ALIYUN_SMS, Caller, TENCENT_VMS, YUNPIAN, is_taken};
use crate::support::postgres::{Options, Server};
use crate::support::{Cluster, until};

/// What carriers are told while nothing can be stored.
const BUSY: [(&str, &str); 3] = [
    (ALIYUN_SMS, r#"{"code":1,"msg":"系统繁忙，请稍后重试"}"#),
    (TENCENT_VMS, r#"{"result":1,"errmsg":"系统繁忙，请稍后重试"}"#),
    (YUNPIAN, "BUSY"),
];

#[tokio::test(flavor = "multi_thread")]
async fn under_load_nodes_say_busy_and_go_on_by_themselves() {
    let mut server = Server::start(&Options::default());
    let url = server.create_database("gateway").await;
    let cluster = Cluster::over(&url, &url, 2, "").await;
    let load = cluster.load(6);
    load.some(100).await;
    for stop in [Server::stop, Server::kill9] {
        stop(&mut server);
        is_busy(&cluster).await;
        server.start_again();
        goes_on(&cluster).await;
        load.some(50).await;
    }
    server.restart();
    goes_on(&cluster).await;
    load.some(50).await;
    let sent = load.ended().await;
    assert!(sent.busy > 0);
    cluster.counted(sent).await;
}

/// All nodes say so to carriers and to the load balancer, and to nobody that a restart would help.
async fn is_busy(cluster: &Cluster) {
    for node in &cluster.nodes {
        until("it is not ready", async || node.look("/readyz").await.status == 503).await;
        assert_eq!(node.look("/livez").await.status, 200);
        for (path, words) in BUSY {
            let answer = node.post(path, "{}").await;
            assert_eq!((answer.status, answer.text().as_str()), (503, words));
            assert_eq!(answer.header("retry-after"), Some("5"));
        }
    }
}

async fn goes_on(cluster: &Cluster) {
    let back = std::time::Instant::now();
    for node in &cluster.nodes {
        node.is_ready().await;
    }
    eprintln!("MEASURED ready after {:?}", back.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_nobody_calls_finds_out_before_anybody_does() {
    let mut server = Server::start(&Options::default());
    let url = server.create_database("gateway").await;
    let cluster = Cluster::over(&url, &url, 1, "").await;
    let node = &cluster.nodes[0];
    server.stop();
    until("it has noticed", async || node.look("/readyz").await.status == 503).await;
    server.start_again();
    node.is_ready().await;
    let mut caller = Caller::new(u64::MAX);
    let request = caller.next();
    assert!(is_taken(&request, &node.call(&request).await));

    // So quickly that nobody looked meanwhile.
    server.restart();
    node.is_ready().await;
    let request = caller.next();
    assert!(
        is_taken(&request, &node.call(&request).await),
        "the connection was lost, not the server"
    );
    cluster.settled().await;
    cluster.ended().await;
}
