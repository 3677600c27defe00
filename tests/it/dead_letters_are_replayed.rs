//! What the platform rejects for good is kept, shown, and put back beside the running gateway.

use crate::support::{Caller, Gateway, Platform, until};
use bridge8890::standin::faults::Faults;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::num::NonZeroU64;
use std::process::Stdio;

fn rejecting() -> Faults {
    Faults { reject_every: NonZeroU64::new(1), ..Faults::default() }
}

#[tokio::test]
async fn listed_shown_and_replayed_by_number_and_by_what_they_died_of() {
    let platform = Platform::with(rejecting()).await;
    let gateway = Gateway::start(&platform).await;
    let site = &gateway.site;
    assert_eq!(site.run("dead list").await.code, Some(1), "there are none");
    let ids = gateway.take(&Caller::new(1).take(5)).await;
    until("all are dead", async || site.lane().await.dead == 5).await;
    assert_eq!(site.lane().await.pending, 0);

    let letters = site.run("dead list --where bin=theirs,campaign=asked --json").await.lines();
    assert_eq!(letters.len(), 5);
    for letter in &letters {
        assert_eq!((&letter["class"], &letter["attempts"]), (&"rejected".into(), &1.into()));
        assert_eq!((&letter["bin"], &letter["lane"]), (&"theirs".into(), &"platform".into()));
        assert!(letter["reason"].as_str().is_some_and(|reason| reason.contains("rejected")));
        assert!(letter["first_tried_at"].is_string() && letter["died_at"].is_string());
    }
    assert_eq!(site.run("dead list --where bin=ours").await.code, Some(1));
    assert_eq!(site.run("dead list --where campaign=other").await.code, Some(1));
    let number = letters[0]["number"].to_string();
    let shown = site.run(&format!("dead show {number} --json")).await;
    assert_eq!((shown.code, &shown.lines()), (Some(0), &letters[..1].to_vec()));
    assert_eq!(site.run("dead show 999999").await.code, Some(1));

    // As long as the platform rejects it, it comes back.
    let replayed = site.run(&format!("dead replay {number} --apply --yes --json")).await.json();
    assert_eq!((&replayed["chosen"], &replayed["replayed"]), (&1.into(), &1.into()));
    until("it is dead again", async || {
        let lane = site.lane().await;
        lane.pending == 0 && lane.dead == 5
    })
    .await;
    assert!(platform.taken().is_empty());

    platform.set_faults(Faults::default());
    let filter = "--where class=rejected,reason=rejected";
    let replayed = site.run(&format!("dead replay {filter} --apply --yes --json")).await.json();
    assert_eq!((&replayed["replayed"], &replayed["stopped"]), (&5.into(), &false.into()));
    gateway.drained().await;
    assert!(platform.effects().keys().eq(&ids));
    assert_eq!(site.lane().await.dead, 0);

    let id = letters[0]["record"]["id"].as_str().expect("an id");
    let history = site.run(&format!("records show {id} --json")).await.json();
    let outcomes: Vec<&Value> = history[0]["attempts"]
        .as_array()
        .expect("a history")
        .iter()
        .map(|attempt| &attempt["outcome"])
        .collect();
    assert_eq!(outcomes, ["dead", "replayed", "dead", "replayed", "delivered"]);
    assert_eq!(history[0]["state"], "delivered");

    let runs = site.run("dead replays --json").await.lines();
    let kept: Vec<_> = runs.iter().map(|run| (&run["filter"], &run["replayed"])).collect();
    let by_number = format!("number={number}").into();
    assert_eq!(
        kept,
        [(&"class=rejected,reason=rejected".into(), &5.into()), (&by_number, &1.into())]
    );
    assert!(runs[0]["operator"].as_str().is_some_and(|name| !name.is_empty()));
    gateway.finish().await;
}

#[tokio::test]
async fn a_replay_shows_what_it_would_do_and_does_nothing_unless_told() {
    let platform = Platform::with(rejecting()).await;
    let gateway = Gateway::start(&platform).await;
    let site = &gateway.site;
    gateway.take(&Caller::new(1).take(7)).await;
    until("all are dead", async || site.lane().await.dead == 7).await;

    let would = site.run("dead replay --all").await;
    assert_eq!(would.code, Some(0));
    for said in [
        "7 dead letters fit: 7 theirs\n  platform  theirs  rejected  7\n",
        "nothing is put back yet: --apply does it\n",
    ] {
        assert!(would.stdout.contains(said), "{}", would.stdout);
    }
    let would = site.run("dead replay --all --json").await.json();
    assert_eq!((&would["chosen"], &would["by"][0]["count"]), (&7.into(), &7.into()));
    assert_eq!(would["sample"].as_array().map(Vec::len), Some(5));
    let unasked = site.run("dead replay --all --apply").await;
    assert_eq!(unasked.code, Some(2));
    assert!(unasked.stderr.contains("say --yes where nobody can answer"), "{}", unasked.stderr);
    assert_eq!(site.run("dead replay --where bin=ours --apply --yes").await.code, Some(1));
    assert_eq!(site.run("dead replays").await.code, Some(1), "nobody put any back");
    assert_eq!(site.lane().await.dead, 7);
    gateway.finish().await;
}

#[tokio::test]
async fn a_replay_that_is_interrupted_leaves_the_rest_dead_and_goes_on_when_run_again() {
    let platform = Platform::with(rejecting()).await;
    let gateway = Gateway::start(&platform).await;
    let site = &gateway.site;
    // At one a second it would run for much longer than this test may.
    let ids = gateway.take(&Caller::new(1).take(60)).await;
    until("all are dead", async || site.lane().await.dead == 60).await;
    platform.set_faults(Faults::default());

    let replay = "dead replay --all --apply --yes --json --config gateway.toml";
    let slow = replay.split(' ').chain(["--rate", "1/s"]);
    let running = site.command(slow).stdout(Stdio::piped()).spawn().expect("it starts");
    until("the first is put back", async || site.lane().await.dead < 60).await;
    let pid = running.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    kill_process(pid.expect("it runs"), Signal::INT).expect("it is ours");
    let stopped = running.wait_with_output().await.expect("it ends");
    assert_eq!(stopped.status.code(), Some(1));
    let stopped: Value = serde_json::from_slice(&stopped.stdout).expect("a report");
    assert_eq!((&stopped["stopped"], &stopped["chosen"]), (&true.into(), &60.into()));
    let first = stopped["replayed"].as_u64().expect("a number");
    assert_eq!(site.lane().await.dead, 60 - first);

    let rest = site.run("dead replay --all --apply --yes --json --rate 1000/s").await;
    assert_eq!((rest.code, &rest.json()["replayed"]), (Some(0), &(60 - first).into()));
    gateway.drained().await;
    assert!(platform.effects().keys().eq(&ids), "each once, under its key");
    let runs = site.run("dead replays --json").await.lines();
    let sum: u64 = runs.iter().filter_map(|run| run["replayed"].as_u64()).sum();
    assert_eq!((runs.len(), sum), (2, 60));
    gateway.finish().await;
}

#[tokio::test]
async fn one_poisonous_record_dies_alone() {
    // One in four ids, by their random bits.
    let poisons = Faults { poison_every: NonZeroU64::new(4), ..Faults::default() };
    let platform = Platform::with(poisons).await;
    let gateway = Gateway::start(&platform).await;
    gateway.take(&Caller::new(1).take(60)).await;
    gateway.drained().await;
    let lane = gateway.site.lane().await;
    assert_eq!(lane.delivered, platform.taken().len() as u64);
    assert_eq!(lane.delivered + lane.dead, 60);
    let dead = gateway.site.run("dead list --json --limit 100").await.lines();
    for letter in &dead {
        let id: uuid::Uuid = letter["record"]["id"].as_str().expect("an id").parse().expect("one");
        assert_eq!(id.as_u128() % 4, 0, "only the poisonous ones");
    }
    gateway.finish().await;
}
