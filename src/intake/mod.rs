//! Stand-in until the intake is written: believes what the carrier verifies, stores nothing.

use crate::carrier::{Answer, Call, Carrier};
use crate::clock::Clock;
use crate::config::Account;
use crate::store::Unwell;
use std::sync::Arc;

/// Takes callbacks over from the listener.
#[derive(Debug, Clone)]
pub struct Intake {
    clock: Clock,
}

impl Intake {
    /// The stand-in.
    #[must_use]
    pub fn stand_in(clock: Clock) -> Intake {
        Intake { clock }
    }

    /// Whether new callbacks may be accepted now.
    ///
    /// # Errors
    /// What stands against it.
    pub fn admits(&self) -> Result<(), Unwell> {
        Ok(())
    }

    /// Commits and says what to answer.
    pub async fn accept(
        &self,
        account: &Arc<Account>,
        carrier: &'static dyn Carrier,
        call: &Call<'_>,
    ) -> Answer {
        match carrier.verify(call, account, self.clock.now()) {
            Ok(()) => Answer::Accepted,
            Err(denied) => Answer::Refused(denied),
        }
    }
}
