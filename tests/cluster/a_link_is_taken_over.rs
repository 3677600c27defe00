//! A link that we open to a carrier is held by one node, and by another one when that is gone.

use crate::support::{Cluster, until};
use futures_util::SinkExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

/// One call in which a key was pressed, a frame each line.
const RECORDED: &str = include_str!("../fixtures/carriers/asterisk-ari/ivr_keypad.ndjson");

/// The call of it.
const CALL: &str = "1772677220.8890";

/// Waits until a node calls, and replays the call.
async fn replay(asterisk: &TcpListener) -> WebSocketStream<TcpStream> {
    let called = timeout(crate::support::alone::DEADLINE, asterisk.accept()).await;
    let (stream, _) = called.expect("a node calls").expect("it is let in");
    let mut socket = accept_async(stream).await.expect("a WebSocket");
    for line in RECORDED.lines() {
        socket.send(Message::text(line)).await.expect("the node reads");
    }
    socket
}

async fn heard(cluster: &Cluster, node: usize) {
    until("the frames are stored", async || {
        let frames = "bridge8890_link_frames_total{account=\"hotline\"}";
        cluster.nodes[node].metric(frames).await >= RECORDED.lines().count() as f64
    })
    .await;
}

#[tokio::test]
async fn when_its_node_is_killed() {
    let asterisk = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = asterisk.local_addr().expect("it is bound");
    let own = format!(
        r#"
        [accounts.hotline]
        carrier = "asterisk-ari"
        allow_http = true
        user = "ari"
        secrets = ["file:carrier.secret"]
        default_campaign = "asked"
        connect = "ws://{address}/ari/events?app=hotline8890"
        "#
    );
    let mut cluster = Cluster::with(2, &own).await;
    let load = cluster.load(4);
    let first = replay(&asterisk).await;
    let owner = cluster.owned("link:hotline").await;
    heard(&cluster, owner).await;
    cluster.kill9(owner).await;
    drop(first);
    // The carrier has no memory of what it has sent, and says it again.
    let second = replay(&asterisk).await;
    assert_eq!(cluster.owner("link:hotline").await, Some(1 - owner));
    heard(&cluster, 1 - owner).await;
    load.some(50).await;
    cluster.restart(owner).await;
    let sent = load.ended().await;
    let others = cluster.counted_besides(&sent).await;
    assert_eq!(others.iter().map(|it| it.message_id.as_deref()).collect::<Vec<_>>(), [Some(CALL)]);
    drop(second);
    cluster.ended().await;
}
