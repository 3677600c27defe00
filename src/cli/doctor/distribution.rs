//! Whether the stored ratings of a campaign look upside down.

use super::Finding;
use crate::config::Store;
use crate::dialogue::distribution::{Distributions, Of, Seen};
use crate::store::{KeyRing, Operator, Place, data_key};

/// How many of the newest ratings are looked at.
const NEWEST: u32 = 5_000;

/// Looks at the stored ratings; where there are none, or they cannot be read, it says nothing: the
/// database has a finding of its own.
pub(super) async fn examine(settings: &Store) -> Vec<Finding> {
    const WHAT: &str = "ratings";
    let Some(distributions) = distributions(settings).await else { return Vec::new() };
    let warn = |Of { campaign, account }: &Of| {
        let brought = account.as_ref().map(|account| format!(" by account {account}"));
        let brought = brought.unwrap_or_default();
        let says = format!("those of campaign {campaign}{brought} look upside down");
        let cure = "compare what citizens hear or read with the campaign's scheme and levels";
        Finding::warn(WHAT, says, cure)
    };
    let found: Vec<Finding> = distributions.upside_down().map(warn).collect();
    match (found.is_empty(), distributions.campaigns()) {
        (true, 0) => Vec::new(),
        (true, campaigns) => {
            let says = format!("none of {campaigns} campaigns looks upside down");
            vec![Finding::ok(WHAT, says)]
        }
        _ => found,
    }
}

async fn distributions(settings: &Store) -> Option<Distributions> {
    let place = Place::of(settings);
    let key = data_key::load(&place, settings.key.as_ref()).ok()?;
    let ring = KeyRing::new(&key, &settings.old_keys).ok()?;
    let operator = Operator::open(&place, ring).await.ok()?;
    let mut distributions = Distributions::default();
    for record in operator.newest_ratings(NEWEST).await.ok()?.iter().rev() {
        if let Some(seen) = Seen::of(std::slice::from_ref(record)) {
            distributions.add(&seen);
        }
    }
    Some(distributions)
}
