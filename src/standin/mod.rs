//! What stands in for the outside world in `demo` and in load tests: carriers and the platform.

pub mod carriers;
