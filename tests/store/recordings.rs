//! Recordings: a queue by account, in which each is kept or lost in the end, and erased with its bytes.

use crate::bench::{Bench, account};
use bridge8890::model::RecordingId;
use bridge8890::store::{Conclusion, LeasedRecording, NewRecording, Opaque, RecordingSettled};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

fn id(number: u128) -> RecordingId {
    RecordingId(uuid::Uuid::from_u128(number))
}

fn opaque(text: &str) -> Opaque {
    Opaque(text.as_bytes().to_vec())
}

async fn queue(bench: &Bench, number: u128) {
    let bytes = opaque("https://carrier.example/said.wav");
    let recordings = vec![NewRecording { id: id(number), account: account(), bytes }];
    bench.conclude(&Conclusion { recordings, ..Conclusion::default() }).await;
}

async fn lease(bench: &Bench) -> Vec<LeasedRecording> {
    bench.store().lease_recordings(&account(), 10, MINUTE).await.expect("it leases")
}

async fn settle(bench: &Bench, number: u128, settled: RecordingSettled) {
    bench.store().settle_recording(id(number), settled).await.expect("it settles");
}

async fn untold(bench: &Bench) -> usize {
    bench.store().untold_recordings(None, 10).await.expect("it reads").len()
}

async fn states(bench: &Bench) -> Vec<&'static str> {
    let found = bench.operator().await.recordings(false, 10).await.expect("it reads");
    found.into_iter().rev().map(|recording| recording.state).collect()
}

#[tokio::test]
async fn a_lease_is_exclusive_and_a_restart_ends_it() {
    let mut bench = Bench::new().await;
    queue(&bench, 1).await;
    let leased = lease(&bench).await;
    assert_eq!((leased.len(), leased[0].attempt), (1, 1));
    assert_eq!(leased[0].bytes, Some(opaque("https://carrier.example/said.wav")));
    assert!(lease(&bench).await.is_empty());
    bench.reopen_when_leases_end().await;
    assert_eq!(lease(&bench).await[0].attempt, 2, "an attempt counts whatever becomes of it");
    let due = bench.clock.now() + DAY;
    settle(&bench, 1, RecordingSettled::Retry { due, reason: "503".to_owned() }).await;
    bench.reopen().await;
    assert!(lease(&bench).await.is_empty(), "a wait outlives a restart");
    bench.clock.advance(DAY);
    assert_eq!(lease(&bench).await[0].attempt, 3);
}

#[tokio::test]
async fn what_became_of_it_is_told_until_a_conclusion_took_it_in() {
    let mut bench = Bench::new().await;
    for number in [1, 2] {
        queue(&bench, number).await;
    }
    lease(&bench).await;
    settle(&bench, 1, RecordingSettled::Kept { became: opaque("kept") }).await;
    let became = Some(opaque("lost"));
    settle(&bench, 2, RecordingSettled::Lost { reason: "410".to_owned(), became }).await;
    bench.reopen().await;
    assert_eq!((untold(&bench).await, states(&bench).await), (2, vec!["kept", "lost"]));
    let operator = bench.operator().await;
    let retried = async || operator.retry_recordings(&[id(1), id(2)], bench.clock.now()).await;
    assert_eq!(retried().await.expect("it runs"), 0, "what is not told yet stays");
    let fetched = vec![id(1), id(2)];
    bench.conclude(&Conclusion { fetched, ..Conclusion::default() }).await;
    assert_eq!(untold(&bench).await, 0);
    assert_eq!(retried().await.expect("it runs"), 1, "the lost one only");
    assert_eq!(lease(&bench).await[0].attempt, 1);
}

#[tokio::test]
async fn it_is_erased_with_its_bytes_when_its_time_is_over() {
    let bench = Bench::new().await;
    for number in [1, 2] {
        queue(&bench, number).await;
    }
    lease(&bench).await;
    bench.store().keep_audio(id(1), b"RIFF said aloud").await.expect("it is kept");
    settle(&bench, 1, RecordingSettled::Kept { became: opaque("kept") }).await;
    bench.clock.advance(DAY);
    bench.purge(MINUTE).await;
    assert!(bench.operator().await.audio(id(1)).await.expect("it reads").is_some(), "untold");
    bench.conclude(&Conclusion { fetched: vec![id(1)], ..Conclusion::default() }).await;
    bench.purge(2 * DAY).await;
    assert_eq!(states(&bench).await, ["kept", "waiting"]);
    bench.purge(MINUTE).await;
    assert_eq!(states(&bench).await, ["waiting"], "what waits is never erased");
    assert!(bench.operator().await.audio(id(1)).await.expect("it reads").is_none());
    assert_eq!(bench.ground.recordings().await, 0);
}
