//! bridge8890: the gateway between the carriers' voice and SMS callbacks and a provincial
//! platform for ratings of public services.

pub mod app;
pub mod carrier;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod dialogue;
pub mod egress;
pub mod ingress;
pub mod intake;
pub mod lifecycle;
pub mod model;
pub mod net;
pub mod normalize;
pub mod standin;
pub mod store;
pub mod telemetry;
