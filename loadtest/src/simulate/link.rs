//! Carriers that open a WebSocket: each text frame is a callback, and nothing is answered. That the
//! gateway took what was sent shows in its answer to a ping, which it reads after it.

use super::part::{Manner, Part};
use super::scenario::Scenario;
use bridge8890::standin::carriers::speaker::Spoken;
use futures_util::{SinkExt, StreamExt};
use http::header::AUTHORIZATION;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};

/// For the upgrade, and for the answer to a ping.
const DEADLINE: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<TcpStream>;

impl Part<'_> {
    /// Plays what a link has of a scenario: frames, and the same frames again.
    pub(super) async fn play_link(&mut self, scenario: Scenario) {
        let again = match scenario {
            Scenario::Push => 1,
            Scenario::Repeat => 3,
            _ => return,
        };
        for way in self.ways() {
            let Some(spoken) = self.message(&way, Manner::Right) else { return };
            self.stage.turns.next().await;
            let Ok(Ok(mut socket)) = timeout(DEADLINE, self.open(&spoken)).await else {
                self.row.broken(&way, scenario.name(), "no WebSocket could be opened");
                return;
            };
            for time in 0..again {
                self.row.sent += 1;
                match timeout(DEADLINE, tell(&mut socket, &spoken)).await {
                    Ok(Ok(())) if time == 0 => self.row.acknowledged += 1,
                    Ok(Ok(())) => self.row.repeated_alike += 1,
                    _ => self.row.broken(&way, scenario.name(), "the link broke"),
                }
            }
            // Whether it says goodbye is not what is asked here.
            drop(timeout(DEADLINE, socket.close(None)).await);
        }
    }

    async fn open(&self, spoken: &Spoken) -> Result<Socket, Error> {
        let stream = TcpStream::connect(self.stage.target).await?;
        let url = format!("ws://{}{}", self.stage.target, spoken.target);
        let mut request = url.into_client_request()?;
        if let Some(proof) = spoken.headers.get(AUTHORIZATION) {
            request.headers_mut().insert(AUTHORIZATION, proof.clone());
        }
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        Ok(socket)
    }
}

/// Sends a frame and waits until the gateway reads on.
async fn tell(socket: &mut Socket, spoken: &Spoken) -> Result<(), Error> {
    let text = Utf8Bytes::try_from(spoken.body.clone())?;
    socket.send(Message::Text(text)).await?;
    socket.send(Message::Ping(Vec::new().into())).await?;
    while let Some(message) = socket.next().await {
        if matches!(message?, Message::Pong(_)) {
            return Ok(());
        }
    }
    Err(Error::ConnectionClosed)
}
