//! What the places of a request hold.

use crate::config::dialect::{SortedOf, Source};
use std::borrow::Cow;

/// What the places of a request hold, as bytes.
pub(super) trait Values {
    /// What stands at this place; `None` when nothing does.
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>>;
    /// The fields that a signature puts in order, as sent and unpacked once.
    fn fields(&self, of: SortedOf) -> Vec<(Cow<'_, [u8]>, Cow<'_, [u8]>)>;
}
