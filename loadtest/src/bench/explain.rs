//! `explain`: what each statement of the engine reads over a history, and over one ten times as long.
//!
//! The engine itself runs, and the server counts (`pg_stat_statements`): so what is measured is what is done.

use super::field::Field;
use super::shared::Ground;
use crate::gateway::Setup;
use crate::generator::{Load, Pace};
use crate::output;
use crate::platform::PlatformProcess;
use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

const HISTORY: &str = include_str!("history.sql");
/// What counts; and nothing that looks at tables by itself, so that it is we who decide what is known of them.
const SETTINGS: [&str; 4] = [
    "shared_preload_libraries=pg_stat_statements",
    "pg_stat_statements.track_utility=off",
    "autovacuum=off",
    "max_wal_size=16GB",
];
/// As many statements of a kind as are worth a line.
const FEW: i64 = 20;
/// Callbacks a second: few enough that most are alone in their group, and a call is always the same work.
const PACE: f64 = 100.0;
const CONNECTIONS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(60);
/// Letters of a statement that are printed.
const WIDTH: usize = 88;

/// How long a history.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  loadtest explain --records 10000000")]
pub(crate) struct Explain {
    /// Records of the long history; the short one has a tenth.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Callbacks that are taken over each history, half of them answers that are held and concluded.
    #[arg(long, default_value_t = 4_000)]
    callbacks: u64,
    /// Have the server look at its tables before; otherwise it knows nothing of them.
    #[arg(long)]
    analyze: bool,
    /// The gateway's program; beside this one unless given.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What one call of a statement takes, on average.
#[derive(Debug, Clone, Copy, Serialize)]
struct Cost {
    calls: i64,
    rows: f64,
    /// Pages of 8 KiB that were looked at, wherever they were.
    blocks: f64,
}

/// One statement over both histories.
#[derive(Debug, Serialize)]
struct Compared {
    statement: String,
    short: Cost,
    long: Cost,
}

impl Explain {
    /// Fills, runs, counts and prints.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let field = Field::new(self.gateway.clone(), PATIENCE, 1)?;
        let ground = Ground::prepare(&field, &SETTINGS).await?;
        let mut short = self.costs(&field, &ground, self.records / 10).await?;
        let long = self.costs(&field, &ground, self.records).await?;
        field.done();
        let both = long.into_iter().filter_map(|(statement, long)| {
            Some(Compared { short: short.remove(&statement)?, statement, long })
        });
        let mut both: Vec<_> = both.collect();
        both.sort_by(|one, other| other.long.blocks.total_cmp(&one.long.blocks));
        if self.json { output::json(&both) } else { output::line(&self.table(&both)) }
    }

    /// What statements take over a history of so many records, by their text.
    async fn costs(
        &self,
        field: &Field,
        ground: &Ground,
        records: u64,
    ) -> anyhow::Result<BTreeMap<String, Cost>> {
        let nodes = ground.nodes(field, 1).await?;
        let (mut setup, _directory) = nodes.into_iter().next().context("a node")?;
        field.say(format!("filling a database with {records} records"));
        let url = setup.shared.as_ref().map(|shared| shared.url.clone()).unwrap_or_default();
        let mut connection = PgConnection::connect(&url).await?;
        for sql in [
            format!("SET history.records = {records}; SET synchronous_commit = off"),
            HISTORY.to_owned(),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        }
        if self.analyze {
            sqlx::raw_sql("ANALYZE").execute(&mut connection).await?;
        }
        let mut superuser = ground.server.connect(Ground::DATABASE).await?;
        sqlx::raw_sql(
            "CHECKPOINT; CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT pg_stat_statements_reset()",
        )
        .execute(&mut superuser)
        .await
        .context("PostgreSQL's contrib package has pg_stat_statements")?;
        for converses in [false, true] {
            field.say(format!("{} callbacks over {records} records", self.callbacks / 2));
            setup.converses = converses;
            self.take(field, &setup).await?;
        }
        let costs = read(&mut superuser).await?;
        drop((connection, superuser));
        ground.clear().await?;
        Ok(costs)
    }

    /// Has a gateway take half of the callbacks, until all is delivered.
    async fn take(&self, field: &Field, setup: &Setup) -> anyhow::Result<()> {
        let mut platform = PlatformProcess::start(setup.platform, Duration::ZERO).await?;
        let gateway = setup.start_ready().await?;
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let duration = Duration::from_secs_f64(self.callbacks as f64 / 2.0 / PACE);
        let load = field.load(setup.http, CONNECTIONS, duration);
        let tally = Load { pace: Pace::PerSecond(PACE), ..load }.run().await?;
        let delivered = platform.wait_for(tally.accepted, PATIENCE).await?.effects;
        ensure!(delivered >= tally.accepted, "{delivered} of {} are delivered", tally.accepted);
        gateway.kill().await
    }

    fn table(&self, both: &[Compared]) -> String {
        let (short, long) = (self.records / 10, self.records);
        let (short, long) = (format!("blocks at {short}"), format!("blocks at {long}"));
        let line = |one: &Compared| {
            let Compared { statement, short, long } = one;
            vec![
                // A bar would end the cell.
                statement.chars().take(WIDTH).collect::<String>().replace('|', "/"),
                long.calls.to_string(),
                format!("{:.1}", long.rows),
                format!("{:.1}", short.blocks),
                format!("{:.1}", long.blocks),
                format!("{:+.1}", long.blocks - short.blocks),
            ]
        };
        let head = ["statement", "calls", "rows", &short, &long, "more"];
        output::table(&head, &both.iter().map(line).collect::<Vec<_>>())
    }
}

/// What the server has counted of the gateways' role.
async fn read(superuser: &mut PgConnection) -> anyhow::Result<BTreeMap<String, Cost>> {
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
        "SELECT query, sum(calls)::bigint, sum(rows)::bigint,
            sum(shared_blks_hit + shared_blks_read)::bigint
         FROM pg_stat_statements
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND userid = 'bridge8890'::regrole
         GROUP BY query HAVING sum(calls) >= $1",
    )
    .bind(FEW)
    .fetch_all(superuser)
    .await?;
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    let cost = |calls: i64, rows: i64, blocks: i64| Cost {
        calls,
        rows: rows as f64 / calls as f64,
        blocks: blocks as f64 / calls as f64,
    };
    let plain = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(rows
        .into_iter()
        .map(|(text, n, rows, blocks)| (plain(text), cost(n, rows, blocks)))
        .collect())
}
