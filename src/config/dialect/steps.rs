//! How a carrier that asks us for the next step of a call is told it.

use super::{Place, Source, Template};
use http::HeaderValue;
use std::time::Duration;

/// How the steps of a call are written. What else a template names is the request's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    /// The content type of every step, for which values are escaped.
    pub content_type: HeaderValue,
    /// Words for the carrier's voice: `${say}`, and in `${barge_in}` whether a key ends them,
    /// `true` or `false`.
    pub say: Template,
    /// A recording by its address: `${play}`, `${barge_in}`.
    pub play: Template,
    /// What stands between two prompts.
    pub between: String,
    /// A question: `${prompts}`, `${next}`, `${digits}`, `${wait}` in seconds or `${wait_ms}`.
    pub ask: Template,
    /// A message: `${prompts}`, `${next}`, `${longest}` in seconds, and in `${after}` what is said
    /// after it, each behind `between`.
    pub record: Template,
    /// The end: `${prompts}`.
    pub end: Template,
    /// What the address of the next step says again of this request, under these names, and where
    /// that stands; of several places the first that is there and not empty counts.
    pub keep: Vec<(String, Vec<Source>)>,
    /// The longest that the carrier waits for a key; `None`: as long as it is told.
    pub longest_wait: Option<Duration>,
    /// When the carrier must have its answer; what is not stored by then is asked for again.
    pub within: Duration,
}

impl Steps {
    /// The values that are written in the carrier's words already.
    pub const WRITTEN: [&'static str; 2] = ["prompts", "after"];
}

/// The field of the query in which the address of the next step says which one it is.
pub const STEP: &str = "step";

/// Where the step stands.
#[must_use]
pub fn step_source() -> Source {
    Source { place: Place::Query, path: vec![STEP.to_owned()], parameter: None }
}
