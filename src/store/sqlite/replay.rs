//! Putting dead letters back into the queue, on a connection of the operator's own.

use super::lease::happened;
use super::open::open_operator;
use super::script::{Place, Script};
use crate::model::RecordSeq;
use crate::store::{OpenError, SendReport};
use sqlx::Connection;
use std::path::Path;

/// Puts dead letters back with their attempts forgotten. Returns how many there were.
pub(in crate::store) async fn replay(
    directory: &Path,
    seqs: &[RecordSeq],
    report: &SendReport,
) -> Result<u64, OpenError> {
    let mut connection = open_operator(directory).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let seqs = super::json_list(seqs.iter().map(|seq| seq.0));
    let lanes: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM lane").fetch_all(&mut *transaction).await?;
    let mut moved = 0;
    for lane in lanes {
        let mut script = Script::default();
        let place = replay_lane(&mut script, lane, &seqs, report);
        moved += script.run(&mut transaction).await?.changes(place);
    }
    transaction.commit().await?;
    connection.close().await?;
    Ok(moved)
}

fn replay_lane(script: &mut Script, lane: i64, seqs: &str, report: &SendReport) -> Place {
    let now = report.started_at.as_millisecond();
    happened(script, lane, report);
    script.add(
        "INSERT INTO attempt (lane, seq, send, attempt, outcome)
         SELECT lane, seq, last_insert_rowid(), attempts, 5 FROM dead_letter
         WHERE lane = ? AND seq IN (SELECT value FROM json_each(?))",
    );
    script.bind(lane).bind(seqs.to_owned());
    let place = script.add(
        "INSERT INTO outbox (lane, seq, urgent, due_at, token, attempts, queued_at)
         SELECT d.lane, d.seq, r.urgent, ?, 0, 0, ?
         FROM dead_letter AS d JOIN record AS r ON r.seq = d.seq
         WHERE d.lane = ? AND d.seq IN (SELECT value FROM json_each(?))",
    );
    script.bind(now).bind(now).bind(lane).bind(seqs.to_owned());
    script
        .add("DELETE FROM dead_letter WHERE lane = ? AND seq IN (SELECT value FROM json_each(?))");
    script.bind(lane).bind(seqs.to_owned());
    place
}
