//! A conversation whose parts come to one node after the other is one: an invitation and its answer, the steps of a call.

use crate::support::alone::{Gateway, TENCENT_VMS};
use crate::support::{Cluster, INVITING, until};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A carrier that wants JSON, all of it configuration.
const VOICE: &str = include_str!("../fixtures/voice.toml");

/// A call, each step of which comes to the next node.
struct Call<'c> {
    cluster: &'c Cluster,
    turn: usize,
    id: String,
    at: String,
}

impl Call<'_> {
    fn node(&mut self) -> &Gateway {
        self.turn += 1;
        &self.cluster.nodes[self.turn % self.cluster.nodes.len()]
    }

    /// Posts the next step; returns what the citizen hears.
    async fn posts(&mut self, more: &str) -> String {
        let body = format!("call={}&from=13940000001&to=024-8890{more}", self.id);
        let at = self.at.clone();
        let answer = self.node().post(&at, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let step: Value = serde_json::from_slice(&answer.body).expect("JSON");
        if let Some(next) = step["next"].as_str() {
            self.at = next[next.find("/callback").expect("ours")..].to_owned();
        }
        let says = step["say"].as_array().into_iter().flatten();
        says.map(|it| it.as_str().expect("a text")).collect::<Vec<_>>().join(" ")
    }
}

async fn call(cluster: &Cluster, turn: usize) -> Call<'_> {
    let at = format!("/callback/voice/call?key={}", crate::exchange::SECRET);
    let mut call = Call { cluster, turn, id: format!("c-{turn}"), at };
    assert_eq!(call.posts("").await, "请评价");
    call
}

#[tokio::test]
async fn the_steps_of_a_call_may_come_to_any_node() {
    let cluster = Cluster::with(2, VOICE).await;
    let load = cluster.load(4);
    let calls = 0..6;
    for turn in calls.clone() {
        let mut call = call(&cluster, turn).await;
        assert_eq!(call.posts("&keys=4").await, "原因");
        let asked = call.at.clone();
        assert_eq!(call.posts("&keys=1").await, "谢谢");
        let mut again = Call { cluster: &cluster, turn: call.turn, id: call.id.clone(), at: asked };
        assert_eq!(again.posts("&keys=1").await, "谢谢", "a repeat is answered alike elsewhere");
        call.posts("&over=yes").await;
    }
    until("every call has its reason", async || {
        let taken = cluster.platform.taken();
        let last = taken.iter().filter(|it| it.kind == "rating" && it.key.revision.0 == 2);
        last.count() == calls.len()
    })
    .await;
    let sent = load.ended().await;
    let mut came: BTreeMap<String, Vec<(String, u32)>> = BTreeMap::new();
    for taken in cluster.counted_besides(&sent).await {
        let id = taken.message_id.expect("the call's id");
        came.entry(id).or_default().push((taken.kind, taken.key.revision.0));
    }
    assert_eq!(came.len(), calls.len());
    for (id, came) in came {
        let of =
            |kind: &str| came.iter().filter(|it| it.0 == kind).map(|it| it.1).collect::<Vec<_>>();
        assert_eq!(of("complaint"), [1], "{id}: {came:?}");
        // The first may be overtaken while it waits.
        let ratings = of("rating");
        assert!([&[1, 2][..], &[2]].contains(&&ratings[..]), "{id}: {came:?}");
        assert_eq!(of("not_rated"), [0; 0], "{id}: {came:?}");
    }
    cluster.ended().await;
}

/// Has who dials take the call to this number at a node.
async fn dial(cluster: &Cluster, node: usize, number: &str) {
    let list = "/v1/calls?account=tencent-vms&limit=100";
    let mut call = None;
    until("the call waits", async || {
        let listed = cluster.signed(node, Method::GET, list, String::new()).await;
        let mut listed: Value = serde_json::from_slice(&listed.body).expect("JSON");
        let mut calls = listed["calls"].as_array_mut().expect("calls").iter();
        let it = calls.find(|it| it["mobile"] == format!("+86{number}"));
        call = it.map(|it| it["call"].as_str().expect("a key").to_owned());
        call.is_some()
    })
    .await;
    let path = format!("/v1/calls/{}", call.expect("it waits"));
    let taken = cluster.signed(node, Method::POST, &path, String::new()).await;
    assert_eq!(taken.status, 200, "{taken:?}");
}

#[tokio::test]
async fn what_one_node_was_asked_another_one_dials_and_hears_answered() {
    let cluster = Cluster::with(3, INVITING).await;
    let load = cluster.load(4);
    for of in 0..9 {
        let (asked, dials, heard) = (of % 3, (of + 1) % 3, (of + 2) % 3);
        let (id, number) = (format!("i-{of}"), format!("139{of:08}"));
        let accepted = cluster.ask_of(asked, &id, &number, 60).await;
        assert_eq!(accepted.status, 200, "{accepted:?}");
        dial(&cluster, dials, &number).await;
        let pressed = json!({ "voicekey_callback": {
            "callid": format!("k-{of}"), "mobile": number, "call_from": "8890",
            "nationcode": "86", "keypress": "1",
        } });
        let answer = cluster.nodes[heard].post(TENCENT_VMS, pressed.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let sent = load.ended().await;
    let mut came = cluster.counted_besides(&sent).await;
    came.sort_by(|one, other| one.message_id.cmp(&other.message_id));
    for (of, taken) in came.iter().enumerate() {
        let (message, invitation) = (format!("k-{of}"), format!("i-{of}"));
        assert_eq!(taken.kind, "rating");
        assert_eq!(taken.message_id.as_ref(), Some(&message));
        assert_eq!(taken.invitation.as_ref(), Some(&invitation), "{taken:?}");
    }
    assert_eq!(came.len(), 9);
    cluster.ended().await;
}
