//! A carrier's repeat is answered like the first time and stored once.

use crate::support::{Caller, Client, Gateway, Platform, is_taken};
use bridge8890::standin::carriers::Request;
use tokio::task::JoinSet;

#[tokio::test]
async fn at_once_on_many_connections_and_after_a_restart() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::start(&platform).await;
    let request = Caller::new(1).next();
    let outcomes = |outcome: &str| {
        format!("bridge8890_callbacks_total{{account=\"aliyun-sms\",outcome=\"{outcome}\"}}")
    };
    at_once(&gateway, &request, 64).await;
    assert_eq!(gateway.metric(&outcomes("accepted")).await, 1.0);
    assert_eq!(gateway.metric(&outcomes("duplicate")).await, 63.0);

    gateway.stop().await;
    gateway.restart().await;
    at_once(&gateway, &request, 4).await;
    gateway.kill9().await;
    gateway.restart().await;
    at_once(&gateway, &request, 4).await;
    assert_eq!(gateway.metric(&outcomes("duplicate")).await, 4.0);

    gateway.drained().await;
    let lane = gateway.site.lane().await;
    assert_eq!((lane.callbacks, lane.records, lane.repeats), (72, 1, 71));
    assert_eq!(platform.effects().get(&request.message_id.0), Some(&1));
    gateway.finish().await;
}

/// Posts the same callback on so many connections of their own.
async fn at_once(gateway: &Gateway, request: &Request, connections: usize) {
    let mut posts = JoinSet::new();
    for _ in 0..connections {
        let (url, request) = (gateway.url(&request.head.target), request.clone());
        posts.spawn(async move {
            let answer = Client::new().post(&url, request.body.clone()).await.expect("an answer");
            assert!(is_taken(&request, &answer), "{answer:?}");
            (answer.header("content-type").map(str::to_owned), answer.body)
        });
    }
    let answers = posts.join_all().await;
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}
