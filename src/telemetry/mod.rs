//! telemetry
pub mod store;
