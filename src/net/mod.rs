//! Sockets: peers that call us (accepting, TLS, timeouts, one HTTP connection's life), how we call
//! others, and WebSockets either way.
//!
//! Who answers is not known here; the carriers' and the operators' listeners both stand on this.

pub mod client;
mod connect;
pub mod dialer;
pub mod http;
pub mod listener;
mod peer;
mod secured;
pub mod socket;
pub mod timeouts;
pub mod tls;
pub mod websocket;

pub use http::{HttpServer, Response, Takeover, Unread};
pub use listener::{BindError, Listener};
pub use peer::Peer;
pub use socket::Socket;
pub use timeouts::Timeouts;
