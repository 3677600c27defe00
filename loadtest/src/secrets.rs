//! The secrets of a load test: invented, the same in every process of it.

use bridge8890::model::Secret;

/// The variable through which the gateway is given its signing key.
pub(crate) const PLATFORM_VARIABLE: &str = "LOADTEST_SECRET";
/// The variable through which the gateway is given Yunpian's secret.
pub(crate) const YUNPIAN_VARIABLE: &str = "LOADTEST_YUNPIAN";
/// The signing key between gateway and platform.
pub(crate) const PLATFORM: &str = "an invented signing key for load tests";
/// What Yunpian signs with.
pub(crate) const YUNPIAN: &str = "an invented apikey for load tests";

/// [`YUNPIAN`] as a secret.
pub(crate) fn yunpian() -> Secret {
    Secret::new(YUNPIAN.as_bytes().to_vec())
}

/// [`PLATFORM`] as a secret.
pub(crate) fn platform() -> Secret {
    Secret::new(PLATFORM.as_bytes().to_vec())
}
