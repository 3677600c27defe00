//! Stand-ins for the outside world, for the demo, the load tests and the tests.

mod desk;
pub mod faults;
pub mod ledger;
pub mod platform;
