//! The secrets of a load test: invented, the same in every process of it.

use bridge8890::model::Secret;
use bridge8890::standin::carriers::accounts::SECRET_VARIABLE;

/// The variable through which the gateway is given its signing key.
pub(crate) const PLATFORM_VARIABLE: &str = "LOADTEST_SECRET";
/// The signing key between gateway and platform.
pub(crate) const PLATFORM: &str = "an invented signing key for load tests";
/// What carriers sign with unless [`SECRET_VARIABLE`] says otherwise.
pub(crate) const CARRIER: &str = "test-secret";

/// What the carriers sign with.
pub(crate) fn carrier() -> String {
    std::env::var(SECRET_VARIABLE).unwrap_or_else(|_| CARRIER.to_owned())
}

/// [`PLATFORM`] as a secret.
pub(crate) fn platform() -> Secret {
    Secret::new(PLATFORM.as_bytes().to_vec())
}
