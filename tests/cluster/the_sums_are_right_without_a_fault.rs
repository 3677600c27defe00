//! The sums that every test ends with are right while nothing fails.

use crate::support::Cluster;

#[tokio::test]
async fn and_every_node_takes_its_part() {
    let cluster = Cluster::start(3).await;
    let load = cluster.load(8);
    load.some(200).await;
    let sent = load.ended().await;
    assert_eq!((sent.busy, sent.unanswered), (0, 0));
    for node in &cluster.nodes {
        let taken = "bridge8890_callbacks_total{account=\"aliyun-sms\",outcome=\"accepted\"}";
        assert!(node.metric(taken).await > 0.0);
    }
    cluster.counted(sent).await;
}
