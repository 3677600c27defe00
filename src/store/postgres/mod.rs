//! The PostgreSQL engine.

mod connect;

pub(in crate::store) use connect::Connector;
pub use connect::{ConnectError, HostFault, HostFaults};
