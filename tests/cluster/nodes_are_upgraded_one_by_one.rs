//! A rolling upgrade under load: a schema that works with the old version is used by it, one that does not is refused.

use crate::support::Cluster;
use crate::support::alone::Done;

/// What a later version's migration does to the database.
fn migration(version: i64, change: &str, works_with: i64) -> String {
    format!(
        "BEGIN; {change};
         INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES ({version}, 'later', true, '', 0);
         UPDATE meta SET value = convert_to('{works_with}', 'UTF8') WHERE key = 'works_with'; COMMIT"
    )
}

#[tokio::test]
async fn and_no_callback_is_refused() {
    let mut cluster = Cluster::start(2).await;
    let load = cluster.load(8);
    load.some(100).await;
    let columns =
        "ALTER TABLE outbox ADD COLUMN later bigint; ALTER TABLE record ADD COLUMN later text";
    cluster.sql(&migration(9001, columns, 1)).await;
    load.some(100).await;
    for node in 0..2 {
        cluster.balancer.set(node, None);
        cluster.nodes[node].stop().await;
        load.some(50).await;
        cluster.restart(node).await;
        load.some(50).await;
    }
    cluster.sql(&migration(9002, "SELECT 1", 9002)).await;
    load.some(50).await;
    let serve = cluster.nodes[0].site.command(["serve", "--config", "gateway.toml"]);
    let refused = Done::of(serve).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let said = "schema version 9002, which this version does not know";
    assert!(refused.stderr.contains(said), "{refused:?}");
    // Back to the backup, as it were: the sum is counted by commands that refuse it too.
    let back = "DELETE FROM _sqlx_migrations WHERE version = 9002;
        UPDATE meta SET value = convert_to('1', 'UTF8') WHERE key = 'works_with'";
    cluster.sql(back).await;
    let sent = load.ended().await;
    assert_eq!(sent.unanswered, 0);
    cluster.counted(sent).await;
}
