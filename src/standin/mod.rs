//! What stands in for the outside world in `demo`, in load tests and in tests: carriers, those
//! that send our messages, and the platform.

pub mod carriers;
pub mod control;
mod counts;
mod desk;
pub mod doubles;
pub mod faults;
pub mod ledger;
pub mod platform;
pub mod program;
pub mod sms;
mod speech;
pub mod traffic;
mod window;
mod written;
