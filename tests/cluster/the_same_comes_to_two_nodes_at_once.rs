//! One callback that comes to two nodes at the same instant is one record, and both answer alike.

use crate::support::alone::{Answer, Caller, Client, is_taken};
use crate::support::{Cluster, Sent};
use bridge8890::standin::carriers::Request;
use std::net::SocketAddr;
use tokio::task::JoinSet;

/// Senders at once.
const SENDERS: u64 = 64;
/// Callbacks of each.
const ROUNDS: usize = 8;

/// Posts a callback to two nodes at once; both must take it, with the same words.
async fn to_both(client: &Client, nodes: [SocketAddr; 2], request: &Request) {
    let post = async |node: SocketAddr| {
        let url = format!("http://{node}{}", request.head.target);
        client.post(&url, request.body.clone()).await.expect("an answer")
    };
    let (first, second) = tokio::join!(post(nodes[0]), post(nodes[1]));
    assert!(is_taken(request, &first), "{first:?}");
    let said = |answer: &Answer| {
        (answer.status, answer.header("content-type").map(str::to_owned), answer.body.clone())
    };
    assert_eq!(said(&first), said(&second));
}

async fn outcomes(cluster: &Cluster, outcome: &str) -> f64 {
    let series =
        format!("bridge8890_callbacks_total{{account=\"aliyun-sms\",outcome=\"{outcome}\"}}");
    let [one, other] = &cluster.nodes[..] else { panic!("two nodes") };
    one.metric(&series).await + other.metric(&series).await
}

#[tokio::test]
async fn of_each_there_is_one_record_whoever_was_first() {
    let cluster = Cluster::start(2).await;
    let nodes = [cluster.nodes[0].carriers(), cluster.nodes[1].carriers()];
    let mut senders = JoinSet::new();
    for seed in 0..SENDERS {
        senders.spawn(async move {
            // No seed of the load's.
            let (mut caller, client) = (Caller::new(u64::MAX - seed), Client::new());
            let requests = caller.take(ROUNDS);
            for request in &requests {
                to_both(&client, nodes, request).await;
            }
            requests
        });
    }
    let mut acknowledged = senders.join_all().await.concat();
    let count = acknowledged.len();

    // All of them with the same.
    let request = Caller::new(u64::MAX - SENDERS).next();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let request = request.clone();
        senders.spawn(async move { to_both(&Client::new(), nodes, &request).await });
    }
    senders.join_all().await;
    acknowledged.push(request);

    let once = (count + 1) as f64;
    assert_eq!(outcomes(&cluster, "accepted").await, once);
    let again = count as f64 + 2.0 * SENDERS as f64 - 1.0;
    assert_eq!(outcomes(&cluster, "duplicate").await, again);
    cluster.counted(Sent { acknowledged, ..Sent::default() }).await;
}
