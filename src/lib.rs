//! bridge8890: the gateway between the carriers' voice and SMS callbacks and a provincial
//! platform for ratings of public services.

pub mod carrier;
pub mod cli;
pub mod clock;
pub mod config;
pub mod lifecycle;
pub mod model;
pub mod normalize;
pub mod store;
