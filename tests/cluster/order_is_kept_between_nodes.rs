//! What belongs together comes in order, though each part of it comes to another node.

use crate::support::Cluster;
use crate::support::alone::{ALIYUN_SMS, Gateway};
use bridge8890::standin::faults::Faults;
use std::collections::BTreeMap;

/// Citizens that complain.
const CITIZENS: usize = 60;

/// A citizen's text, each of another phone.
async fn said(node: &Gateway, citizen: usize, text: &str) {
    let body = format!(
        r#"[{{"phone_number":"1394{citizen:07}","content":"{text}","dest_code":"8890",
            "sequence_id":"{citizen}","send_time":"2026-11-24 10:20:30"}}]"#
    );
    assert_eq!(node.post(ALIYUN_SMS, body).await.status, 200);
}

#[tokio::test]
async fn a_rating_comes_before_its_complaint() {
    let cluster = Cluster::with(2, "destination.max_batch = 7").await;
    let load = cluster.load(4);
    for citizen in 0..CITIZENS {
        // Half of them find a backlog.
        if citizen == CITIZENS / 2 {
            cluster.platform.set_faults(Faults { down: true, ..Faults::default() });
        }
        said(&cluster.nodes[citizen % 2], citizen, "非常不满意").await;
    }
    cluster.platform.set_faults(Faults::default());
    let sent = load.ended().await;
    let mut cases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for taken in cluster.counted_besides(&sent).await {
        cases.entry(taken.message_id.expect("a message")).or_default().push(taken.kind);
    }
    assert_eq!(cases.len(), CITIZENS);
    for (citizen, kinds) in cases {
        assert_eq!(kinds, ["rating", "complaint"], "{citizen}");
    }
    cluster.ended().await;
}
