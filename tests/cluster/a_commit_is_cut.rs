//! The connection is cut in the middle of a commit, so that nobody knows whether it happened: the carrier is told to come
//! again, and what it sends again is answered alike and stored once.

use crate::support::alone::{Caller, Gateway, is_taken};
use crate::support::postgres::{Options, Proxy, Server, When};
use crate::support::{Cluster, until};
use bridge8890::standin::carriers::Request;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_is_repeated_and_stored_once() {
    let server = Server::start(&Options::default());
    let url = server.create_database("gateway").await;
    let proxy = Proxy::before(server.address()).await;
    let through = server.url_through(proxy.address(), "gateway");
    let cluster = Cluster::over(&url, &through, 2, "").await;
    let mut caller = Caller::new(u64::MAX);
    let mut taken = Vec::new();
    for (when, repeats) in [(When::BeforeItIsHeard, 0), (When::BeforeItIsAnswered, 1)] {
        let node = &cluster.nodes[0];
        let request = cut(node, &proxy, when, (&mut caller, &mut taken)).await;
        node.is_ready().await;
        let before = node.site.lane().await.repeats;
        let answer = node.call(&request).await;
        assert!(is_taken(&request, &answer), "{answer:?}");
        assert_eq!(node.site.lane().await.repeats - before, repeats, "{when:?}");
        taken.push(request);
    }

    let load = cluster.load(6);
    for when in [When::BeforeItIsHeard, When::BeforeItIsAnswered] {
        load.some(30).await;
        proxy.cut_at("COMMIT", when, 4);
        until("all are cut", async || proxy.still_to_cut() == 0).await;
    }
    load.some(30).await;
    let mut sent = load.ended().await;
    assert!(sent.busy > 0);
    sent.acknowledged.append(&mut taken);
    cluster.counted(sent).await;
}

/// Calls until the commit of a callback is cut, and not another one; its carrier is told to come again.
async fn cut(
    node: &Gateway,
    proxy: &Proxy,
    when: When,
    (caller, taken): (&mut Caller, &mut Vec<Request>),
) -> Request {
    loop {
        node.is_ready().await;
        let request = caller.next();
        proxy.cut_at("COMMIT", when, 1);
        let answer = node.call(&request).await;
        if !is_taken(&request, &answer) {
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
            return request;
        }
        taken.push(request);
    }
}
