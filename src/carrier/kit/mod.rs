//! What carriers share. A carrier's file should need one call into here for each field.

pub(super) mod dedupe;
pub(super) mod fields;
pub(super) mod form;
pub(super) mod sign;
pub(super) mod time;
