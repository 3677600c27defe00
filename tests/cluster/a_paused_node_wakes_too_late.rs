//! A node that was stopped for longer than its leases: the others go on meanwhile, and when it wakes it settles and
//! concludes nothing that it no longer owns.

use crate::support::{Cluster, INVITING, until};
use bridge8890::standin::faults::Faults;
use std::time::Duration;
use tokio::time::sleep;

/// Transactions of a node in which it is to speak next, and which hold the place lock.
fn holds(node: usize) -> String {
    format!(
        "SELECT count(*) FROM pg_stat_activity JOIN pg_locks USING (pid)
         WHERE datname = current_database() AND application_name LIKE '%node-{node}%'
         AND state = 'idle in transaction' AND relation = 'place'::regclass AND granted"
    )
}

/// Stops a node while all others wait for it.
async fn pause_in_its_turn(cluster: &Cluster, node: usize) {
    until("it is stopped within its turn", async || {
        cluster.pause(node);
        // The server may still be at what it was told before.
        sleep(Duration::from_millis(20)).await;
        let stopped = cluster.number(&holds(node)).await > 0;
        if !stopped {
            cluster.wake(node);
        }
        stopped
    })
    .await;
}

#[tokio::test]
async fn and_finds_its_work_done() {
    let own = format!("store.idle_in_transaction_timeout = '1s'\n{INVITING}");
    let cluster = Cluster::with(2, &own).await;
    // So that there is always something under way.
    let latency = Duration::from_millis(300);
    cluster.platform.set_faults(Faults { latency, ..Faults::default() });
    let load = cluster.load(16);
    load.some(100).await;
    let paused = cluster.owned("dialogue").await;
    assert_eq!(cluster.ask(paused, "i-0").await.status, 200);
    pause_in_its_turn(&cluster, paused).await;
    load.some(50).await;
    assert_eq!(cluster.number(&holds(paused)).await, 0, "its transaction was ended for it");
    for work in ["dialogue", "housekeeping"] {
        until("the other has its work", async || cluster.owner(work).await == Some(1 - paused))
            .await;
    }
    let last = cluster.number("SELECT coalesce(max(seq), 0) FROM outbox").await;
    let left = format!("SELECT count(*) FROM outbox WHERE seq <= {last}");
    until("what it had leased is sent", async || cluster.number(&left).await == 0).await;
    until("what it had accepted is concluded", async || {
        cluster.platform.taken().iter().any(|it| it.invitation.is_some())
    })
    .await;

    cluster.wake(paused);
    cluster.nodes[paused].is_ready().await;
    let lost = "bridge8890_egress_lost_leases_total{lane=\"platform\"}";
    until("it has seen that it was too late", async || {
        cluster.nodes[paused].metric(lost).await > 0.0
    })
    .await;
    load.some(100).await;
    assert_eq!(cluster.owner("dialogue").await, Some(1 - paused));
    let sent = load.ended().await;
    let others = cluster.counted_besides(&sent).await;
    let others: Vec<_> = others.iter().filter_map(|it| it.invitation.as_deref()).collect();
    assert_eq!(others, ["i-0"]);
    cluster.ended().await;
}
