//! PostgreSQL stops, restarts and dies under nodes that go on: carriers are told to come again, each in its own words, and
//! are heard again as soon as it is back.

use crate::support::alone::{ALIYUN_SMS, Caller, TENCENT_VMS, YUNPIAN, is_taken};
use crate::support::postgres::{Options, Server};
use crate::support::{Cluster, until};
use std::time::Duration;
use tokio::time::sleep;

/// What carriers are told while nothing can be stored.
const BUSY: [(&str, &str); 3] = [
    (ALIYUN_SMS, r#"{"code":1,"msg":"系统繁忙，请稍后重试"}"#),
    (TENCENT_VMS, r#"{"result":1,"errmsg":"系统繁忙，请稍后重试"}"#),
    (YUNPIAN, "BUSY"),
];

/// A connection that was not used for so long is looked at before it is.
const QUIET: Duration = Duration::from_millis(600);

#[tokio::test(flavor = "multi_thread")]
async fn nodes_say_busy_and_go_on_by_themselves() {
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
    let mut sent = load.ended().await;
    assert!(sent.busy > 0);

    // Nobody calls: nodes find out before anybody does.
    server.stop();
    is_busy(&cluster).await;
    server.start_again();
    goes_on(&cluster).await;
    cluster.settled().await;
    sleep(QUIET).await;
    // So quickly that nobody looks meanwhile: the connection is lost, and not the server.
    server.restart();
    goes_on(&cluster).await;
    let request = Caller::new(u64::MAX).next();
    assert!(is_taken(&request, &cluster.nodes[0].call(&request).await));
    sent.acknowledged.push(request);
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
    for node in &cluster.nodes {
        node.is_ready().await;
    }
}
