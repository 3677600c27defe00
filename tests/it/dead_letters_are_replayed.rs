//! What the platform rejects for good is kept, shown, and put back beside the running gateway.

use crate::support::{Caller, Gateway, Platform, until};
use bridge8890::standin::faults::Faults;
use serde_json::Value;
use std::num::NonZeroU64;

#[tokio::test]
async fn listed_shown_and_replayed_by_number_and_by_class() {
    let rejects = Faults { reject_every: NonZeroU64::new(1), ..Faults::default() };
    let platform = Platform::with(rejects).await;
    let gateway = Gateway::start(&platform).await;
    let site = &gateway.site;
    assert_eq!(site.run("dead list").await.code, Some(1), "there are none");
    let ids = gateway.take(&Caller::new(1).take(5)).await;
    until("all are dead", async || site.lane().await.dead == 5).await;
    assert_eq!(site.lane().await.pending, 0);

    let letters = site.run("dead list --json").await.lines();
    assert_eq!(letters.len(), 5);
    for letter in &letters {
        assert_eq!((&letter["class"], &letter["attempts"]), (&"rejected".into(), &1.into()));
        assert!(letter["reason"].as_str().is_some_and(|reason| reason.contains("rejected")));
    }
    let number = letters[0]["number"].to_string();
    let shown = site.run(&format!("dead show {number} --json")).await;
    assert_eq!((shown.code, &shown.lines()), (Some(0), &letters[..1].to_vec()));
    assert_eq!(site.run("dead show 999999").await.code, Some(1));

    // As long as the platform rejects it, it comes back.
    let replayed = site.run(&format!("dead replay {number} --json")).await.json();
    assert_eq!((&replayed["chosen"], &replayed["replayed"]), (&1.into(), &1.into()));
    until("it is dead again", async || {
        let lane = site.lane().await;
        lane.pending == 0 && lane.dead == 5
    })
    .await;
    assert!(platform.taken().is_empty());

    platform.set_faults(Faults::default());
    let would = site.run("dead replay --class rejected --dry-run").await;
    assert_eq!(would.stdout, "5 would be put back\n");
    assert_eq!(site.lane().await.dead, 5);
    let replayed = site.run("dead replay --class rejected --json").await.json();
    assert_eq!(replayed["replayed"], 5);
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
