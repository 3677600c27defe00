//! Where a signature does not cover the content, its one-time token is good for one content: an
//! honest repeat is answered alike, anything else is refused, also after a restart.

use crate::exchange::SECRET;
use crate::support::{Client, Gateway, Platform};
use md5::{Digest, Md5};
use tokio::task::JoinSet;

const SUBMAIL: &str = "
    [accounts.submail]
    carrier = 'submail'
    secrets = ['file:carrier.secret']
    default_campaign = 'asked'
    allow_http = true";

fn signed(token: &str, content: &str) -> String {
    let signature = hex::encode(Md5::digest(format!("{token}{SECRET}")));
    form_urlencoded::Serializer::new(String::new())
        .append_pair("events", "mo")
        .append_pair("address", "13940000001")
        .append_pair("content", content)
        .append_pair("timestamp", "1772677230")
        .append_pair("token", token)
        .append_pair("signature", &signature)
        .finish()
}

#[tokio::test]
async fn a_token_carries_one_content() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::with(&platform, SUBMAIL).await;
    let refused = "bridge8890_callbacks_refused_total{account=\"submail\",reason=\"replayed\"}";
    let path = "/callback/submail";
    for content in ["1", "1"] {
        assert_eq!(gateway.post(path, signed("t-1", content)).await.status, 200);
    }
    assert_eq!(gateway.post(path, signed("t-1", "5")).await.status, 403);
    assert_eq!(gateway.metric(refused).await, 1.0);

    gateway.kill9().await;
    gateway.restart().await;
    assert_eq!(gateway.post(path, signed("t-1", "5")).await.status, 403);
    assert_eq!(gateway.post(path, signed("t-1", "1")).await.status, 200);
    assert_eq!(gateway.post(path, signed("t-2", "2")).await.status, 200);
    gateway.drained().await;
    let lane = gateway.site.lane().await;
    assert_eq!((lane.callbacks, lane.records), (4, 2), "of what is refused nothing is kept");
    gateway.finish().await;
}

#[tokio::test]
async fn of_many_at_once_one_content_wins() {
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, SUBMAIL).await;
    let mut posts = JoinSet::new();
    for content in 0..64 {
        let (url, body) = (gateway.url("/callback/submail"), signed("t", &content.to_string()));
        posts.spawn(async move { Client::new().post(&url, body).await.expect("an answer").status });
    }
    let statuses = posts.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 403].contains(status)), "{statuses:?}");
    assert_eq!(gateway.site.lane().await.callbacks, 1);
    gateway.finish().await;
}
