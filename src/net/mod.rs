//! Sockets: peers that call us (accepting, TLS, timeouts, one HTTP connection's life), and how we
//! call others.
//!
//! Who answers is not known here; the carriers' and the operators' listeners both stand on this.

pub mod client;
pub mod http;
pub mod listener;
pub mod socket;
pub mod timeouts;
pub mod tls;

pub use http::{HttpServer, Response, Unread};
pub use listener::{BindError, Listener};
pub use socket::Socket;
pub use timeouts::Timeouts;
