//! telemetry
pub mod intake;
pub mod metrics;
pub mod store;
pub use metrics::Metrics;
