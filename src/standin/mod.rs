//! What stands in for the outside world in `demo`, in load tests and in tests: carriers, those
//! that send our messages, and the platform.

pub mod carriers;
mod desk;
pub mod faults;
pub mod ledger;
pub mod platform;
pub mod sms;
pub mod traffic;
