//! Where the stores of this suite are: each in a database of its own, of the server that all tests share.

use crate::shared::Database;
use bridge8890::store::{Place, migrate};
use futures_util::TryStreamExt;
use sqlx::{Connection, PgConnection};

/// Whether nodes may share a store, so that no one's start says that all others are gone.
pub(crate) const SHARED: bool = true;

/// Random schedules are so many times fewer than they might be: each makes a database of its own.
pub(crate) const PART: u32 = 6;

/// What the suite's statements need of SQLite's functions.
const FUNCTIONS: &str = "CREATE FUNCTION zeroblob(length integer) RETURNS bytea LANGUAGE sql
    AS $$ SELECT decode(repeat('00', length), 'hex') $$";

/// A database.
pub(crate) struct Ground(Database);

impl Ground {
    pub(crate) async fn new() -> Ground {
        let make = async |url: &str| {
            migrate(&place(url), false, |_| ()).await.expect("it migrates");
            run(url, FUNCTIONS).await;
        };
        Ground(Database::copy_of("store", make).await)
    }

    pub(crate) fn place(&self) -> Place {
        place(&self.0.url())
    }

    /// Runs statements beside the store.
    pub(crate) async fn sql(&self, sql: &'static str) {
        run(&self.0.url(), sql).await;
    }

    /// All that is stored, as it is.
    pub(crate) async fn everything(&self) -> Vec<Vec<u8>> {
        let mut connection = connect(&self.0.url()).await;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT relname::text FROM pg_class
             WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
        )
        .fetch_all(&mut connection)
        .await
        .expect("it lists");
        let mut parts = Vec::new();
        for table in tables {
            let copy = format!("COPY {table} TO STDOUT (FORMAT binary)");
            let copied = connection.copy_out_raw(&copy).await.expect("it copies");
            let copied: Vec<_> = copied.try_collect().await.expect("it reads");
            parts.push(copied.concat());
        }
        parts
    }

    /// Blocks of tables and indexes that were looked at so far, by sessions that have ended: all but ours.
    pub(crate) async fn blocks(&self) -> i64 {
        const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let mut connection = connect(&self.0.url()).await;
        let mut others = 1_i64;
        while others > 0 {
            others = sqlx::query_scalar(OTHERS).fetch_one(&mut connection).await.expect("a count");
        }
        sqlx::query_scalar(
            "SELECT sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)
                + coalesce(toast_blks_read + toast_blks_hit, 0))::bigint FROM pg_statio_user_tables",
        )
        .fetch_one(&mut connection)
        .await
        .expect("a sum")
    }

    /// Recordings that are kept.
    pub(crate) async fn recordings(&self) -> usize {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM audio")
            .fetch_one(&mut connect(&self.0.url()).await)
            .await
            .expect("it counts");
        usize::try_from(count).expect("a count")
    }
}

fn place(url: &str) -> Place {
    Place::Server(Box::new(url.parse().expect("a URL")))
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("it opens")
}

async fn run(url: &str, sql: &'static str) {
    let mut connection = connect(url).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.expect("it runs");
    connection.close().await.expect("it closes");
}
