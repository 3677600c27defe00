//! Many records through one queue: whether what a queue leaves behind in the database stays bounded.

use super::Findings;
use super::field::Field;
use super::figure::{Figure, Goal, mebibytes};
use super::shared::Ground;
use super::table::Table;
use crate::generator::Load;
use crate::platform::PlatformProcess;
use crate::server::Server;
use anyhow::ensure;
use std::time::Duration;

/// Tables whose rows come and go, or change for ever.
const TABLES: [&str; 3] = ["outbox", "ledger_open", "place"];
/// How often it is looked.
const STEPS: usize = 10;
/// How long one step may take to be accepted, and to be delivered.
const PATIENCE: Duration = Duration::from_secs(600);

const HEAD: [&str; 7] =
    ["records", "accepted/s", "table", "dead rows", "table MiB", "indexes MiB", "vacuums"];

/// What stands in one table.
#[derive(Debug, Clone, Copy)]
struct Size {
    table: &'static str,
    dead: i64,
    heap: u64,
    indexes: u64,
    vacuums: i64,
}

/// Has so many records accepted and delivered, and looks at the tables ten times on the way.
pub(super) async fn measure(
    field: &Field,
    connections: u32,
    records: u64,
) -> anyhow::Result<Findings> {
    let ground = Ground::prepare(field, &[]).await?;
    let nodes = ground.nodes(field, 1).await?;
    let Some((setup, _directory)) = nodes.first() else { return Ok(Findings::default()) };
    let mut platform = PlatformProcess::start(setup.platform, Duration::ZERO).await?;
    let gateway = setup.start_ready().await?;
    let (mut sizes, mut lines) = (Vec::new(), Vec::new());
    let mut accepted = 0;
    for step in 1..=STEPS {
        field.say(format!("outbox: {accepted} of {records}"));
        let most = records / u64::try_from(STEPS)?;
        let load = Load { most, ..field.load(setup.http, connections, PATIENCE) };
        let tally = load.run().await?;
        accepted += tally.accepted;
        let delivered = platform.wait_for(accepted, PATIENCE).await?.effects;
        ensure!(delivered >= accepted, "{delivered} of {accepted} are delivered");
        for size in look(&ground.server).await? {
            lines.push(line(accepted, tally.rate(), size));
            sizes.push((step, size));
        }
    }
    let (totals, gone) = (platform.totals().await?, gateway.kill().await);
    gone?;
    let mut figures: Vec<_> = TABLES.into_iter().flat_map(|table| of(table, &sizes)).collect();
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    let lacking = vec![accepted.saturating_sub(totals.effects) as f64];
    figures.push(Figure {
        scenario: "outbox",
        quantity: "accepted and not delivered",
        unit: "",
        values: lacking,
        goal: Some(Goal::AtMost { must: 0.0, aim: 0.0 }),
    });
    let table = Table { head: HEAD.to_vec(), lines };
    Ok(Findings { figures, tables: vec![table], ..Findings::default() })
}

async fn look(server: &Server) -> anyhow::Result<Vec<Size>> {
    let mut connection = server.connect(Ground::DATABASE).await?;
    let mut sizes = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let (dead, heap, indexes, vacuums): (i64, i64, i64, i64) = sqlx::query_as(
            "SELECT n_dead_tup, pg_relation_size(relid), pg_indexes_size(relid),
                autovacuum_count + vacuum_count FROM pg_stat_user_tables WHERE relname = $1",
        )
        .bind(table)
        .fetch_one(&mut connection)
        .await?;
        let (heap, indexes) = (heap.unsigned_abs(), indexes.unsigned_abs());
        sizes.push(Size { table, dead, heap, indexes, vacuums });
    }
    Ok(sizes)
}

fn line(records: u64, rate: f64, size: Size) -> Vec<String> {
    let Size { table, dead, heap, indexes, vacuums } = size;
    vec![
        records.to_string(),
        format!("{rate:.0}"),
        table.to_owned(),
        dead.to_string(),
        format!("{:.2}", mebibytes(heap)),
        format!("{:.2}", mebibytes(indexes)),
        vacuums.to_string(),
    ]
}

/// How large a table and its indexes became, and whether they went on growing.
fn of(table: &'static str, sizes: &[(usize, Size)]) -> [Figure; 2] {
    let largest = |second: bool| {
        let of =
            sizes.iter().filter(|(step, one)| one.table == table && (*step > STEPS / 2) == second);
        mebibytes(of.map(|(_, one)| one.heap + one.indexes).max().unwrap_or(0))
    };
    let (first, second) = (largest(false), largest(true));
    let figure = |quantity, unit, value, goal| Figure {
        scenario: table,
        quantity,
        unit,
        values: vec![value],
        goal: Some(goal),
    };
    let bounded = Goal::AtMost { must: 1.5, aim: 1.1 };
    [
        figure("largest", "MiB", first.max(second), Goal::AtMost { must: 128.0, aim: 64.0 }),
        figure("second half, to the first", "×", second / first, bounded),
    ]
}
