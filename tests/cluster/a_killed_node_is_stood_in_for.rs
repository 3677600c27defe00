//! `kill -9` of a node under load: another one sends what it had leased and does what it owned, and it joins again.

use crate::support::{Cluster, INVITING, until};
use bridge8890::standin::faults::Faults;
use std::time::Duration;

/// What only one node does.
const WORKS: [&str; 2] = ["dialogue", "housekeeping"];

#[tokio::test]
async fn and_joins_again_under_its_name() {
    let mut cluster = Cluster::with(2, INVITING).await;
    // So that there is always something under way.
    let latency = Duration::from_millis(300);
    cluster.platform.set_faults(Faults { latency, ..Faults::default() });
    let load = cluster.load(8);
    for round in 0..2 {
        load.some(100).await;
        let killed = cluster.owned("dialogue").await;
        assert_eq!(cluster.ask(killed, &format!("i-{round}")).await.status, 200);
        cluster.kill9(killed).await;
        for work in WORKS {
            until("the other has its work", async || cluster.owner(work).await == Some(1 - killed))
                .await;
        }
        let last = cluster.number("SELECT coalesce(max(seq), 0) FROM outbox").await;
        let left = format!("SELECT count(*) FROM outbox WHERE seq <= {last}");
        until("what it had leased is sent", async || cluster.number(&left).await == 0).await;
        until("what it had accepted is concluded", async || {
            cluster.platform.taken().iter().filter(|it| it.invitation.is_some()).count() > round
        })
        .await;
        cluster.restart(killed).await;
        let taken = "bridge8890_callbacks_total{account=\"aliyun-sms\",outcome=\"accepted\"}";
        until("it takes its part again", async || cluster.nodes[killed].metric(taken).await > 0.0)
            .await;
        until("both live", async || cluster.living().await == 2).await;
    }
    let sent = load.ended().await;
    let others = cluster.counted_besides(&sent).await;
    let others: Vec<_> = others.iter().filter_map(|it| it.invitation.as_deref()).collect();
    assert_eq!(others, ["i-0", "i-1"]);
    cluster.ended().await;
}
