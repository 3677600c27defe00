//! What belongs together comes in order, though each part of it comes to another node.

use crate::support::alone::{ALIYUN_SMS, Gateway};
use crate::support::{Cluster, Load};
use bridge8890::standin::faults::Faults;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// A citizen's text, each of another phone.
async fn said(node: &Gateway, citizen: usize, text: &str) {
    let body = format!(
        r#"[{{"phone_number":"1394{citizen:07}","content":"{text}","dest_code":"8890",
            "sequence_id":"{citizen}","send_time":"2026-11-24 10:20:30"}}]"#
    );
    assert_eq!(node.post(ALIYUN_SMS, body).await.status, 200);
}

/// Citizens complain, each at the next node of these.
async fn complain(cluster: &Cluster, nodes: &[usize], citizens: Range<usize>) {
    for citizen in citizens {
        said(&cluster.nodes[nodes[citizen % nodes.len()]], citizen, "非常不满意").await;
    }
}

/// Of each of so many citizens the rating came first.
async fn came_in_order(cluster: Cluster, load: Load, citizens: usize) {
    let sent = load.ended().await;
    let mut cases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for taken in cluster.counted_besides(&sent).await {
        cases.entry(taken.message_id.expect("a message")).or_default().push(taken.kind);
    }
    assert_eq!(cases.len(), citizens);
    for (citizen, kinds) in cases {
        assert_eq!(kinds, ["rating", "complaint"], "{citizen}");
    }
    cluster.ended().await;
}

#[tokio::test]
async fn a_rating_comes_before_its_complaint() {
    let cluster = Cluster::with(2, "destination.max_batch = 7").await;
    let load = cluster.load(4);
    complain(&cluster, &[0, 1], 0..30).await;
    // The others become a backlog.
    cluster.platform.set_faults(Faults { down: true, ..Faults::default() });
    complain(&cluster, &[0, 1], 30..60).await;
    cluster.platform.set_faults(Faults::default());
    came_in_order(cluster, load, 60).await;
}

#[tokio::test]
async fn also_when_the_node_that_was_sending_is_killed() {
    let mut cluster = Cluster::start(2).await;
    // So that what was leased is taken, and not settled.
    let latency = Duration::from_millis(300);
    cluster.platform.set_faults(Faults { latency, ..Faults::default() });
    let load = cluster.load(4);
    complain(&cluster, &[0, 1], 0..30).await;
    cluster.kill9(0).await;
    complain(&cluster, &[1], 30..60).await;
    cluster.restart(0).await;
    came_in_order(cluster, load, 60).await;
}
