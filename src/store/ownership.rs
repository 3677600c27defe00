//! Work that one node at a time does: which it is, who owns it, and until when.
//!
//! A node claims it for a while, and claims it again before that is over; whoever dies lets it expire, and another takes it.
//! Whoever takes it gets a token that nobody had before, and what is stored in the owner's name is checked against that.
//! Where one process has the store to itself, all of it is that process's for ever.

mod keeper;

use super::nodes::{Cluster, failed};
use super::{Store, StoreError};
use crate::lifecycle::Tasks;
use crate::model::AccountName;
use std::fmt;
use std::future::pending;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The part of a lease that is left unused, so that whoever owned work has stopped before another begins, though their
/// clocks differ.
const RESERVE: u32 = 10;

/// A piece of work that one node at a time does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// Concludes what is held, and writes memory.
    Dialogue,
    /// Erases what is old, and keeps the ledger.
    Housekeeping,
    /// Reads quarantined callbacks again.
    Quarantine,
    /// The connection to a carrier that takes one for an account, and that we open.
    Link(AccountName),
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::Dialogue => f.write_str("dialogue"),
            Work::Housekeeping => f.write_str("housekeeping"),
            Work::Quarantine => f.write_str("quarantine"),
            Work::Link(account) => write!(f, "link:{account}"),
        }
    }
}

/// Tells the owners of a piece of work apart, over all nodes and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerToken(pub i64);

/// Work that is ours for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// In whose name it is done.
    pub token: OwnerToken,
    /// When it is no longer ours; `None`: never.
    ends: Option<Instant>,
}

impl Claim {
    /// Of a process that has the store to itself.
    const FOR_EVER: Claim = Claim { token: OwnerToken(0), ends: None };

    /// One that was asked for at this moment.
    fn asked_for(token: OwnerToken, asked: Instant, lasting: Duration) -> Claim {
        Claim { token, ends: Some(asked + (lasting - lasting / RESERVE)) }
    }

    /// Whether it is ours at this moment.
    #[must_use]
    pub fn holds(&self, now: Instant) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }
}

impl Store {
    /// Claims work for so long: takes it when nobody has it, and keeps it when it is `ours` already. `None`: another node
    /// has it.
    ///
    /// # Errors
    /// [`StoreError`]; what is ours stays so until its end, unless it was given up.
    pub async fn claim(
        &self,
        work: &Work,
        ours: Option<OwnerToken>,
        lasting: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let Cluster::Shared(register) = &self.nodes.cluster else {
            return Ok(Some(Claim::FOR_EVER));
        };
        // Our time begins before the server's, whatever the way there takes.
        let (asked, now) = (Instant::now(), self.clock.now());
        let until = now.as_millisecond().saturating_add(millis(lasting));
        let times = (now.as_millisecond(), until);
        let token = register.claim(&work.to_string(), ours, times).await.map_err(failed)?;
        Ok(token.map(|token| Claim::asked_for(token, asked, lasting)))
    }

    /// Gives work up, so that another node may take it at once.
    ///
    /// # Errors
    /// [`StoreError`]; it then expires.
    pub async fn give_up(&self, work: &Work, token: OwnerToken) -> Result<(), StoreError> {
        let Cluster::Shared(register) = &self.nodes.cluster else { return Ok(()) };
        register.give_up(&work.to_string(), token).await.map_err(failed)
    }

    /// Has work claimed again and again among `tasks`, until the soft stop: then it is given up as soon as nobody looks at it
    /// any more. For how long it is claimed, and so how long it lies when its owner dies, is `store.owner_lease`.
    pub fn keep(&self, work: Work, tasks: &Tasks) -> Ownership {
        let telemetry = self.nodes.metrics.owner(&work.to_string());
        match &self.nodes.cluster {
            Cluster::Alone => {
                telemetry.owned(true);
                Ownership::for_ever()
            }
            Cluster::Shared(register) => {
                keeper::start(self.clone(), (work, register.lease()), telemetry, tasks)
            }
        }
    }
}

/// Whether a piece of work is ours. Cloning looks at the same.
#[derive(Debug, Clone)]
pub struct Ownership(watch::Receiver<Option<Claim>>);

impl Ownership {
    /// Of a process that has the store to itself.
    #[must_use]
    pub fn for_ever() -> Ownership {
        Ownership(watch::Sender::new(Some(Claim::FOR_EVER)).subscribe())
    }

    /// In whose name it may be done at this moment. Whoever reads what he decides by takes it before he reads.
    ///
    /// # Errors
    /// [`StoreError::NotOwner`] when it is not ours.
    pub fn token(&self) -> Result<OwnerToken, StoreError> {
        let claim = self.0.borrow().filter(|claim| claim.holds(Instant::now()));
        claim.map(|claim| claim.token).ok_or(StoreError::NotOwner)
    }

    /// Waits until it is ours.
    pub async fn gained(&self) -> OwnerToken {
        let mut claims = self.0.clone();
        loop {
            match held(&mut claims) {
                Some(claim) => return claim.token,
                None => changed(&mut claims).await,
            }
        }
    }

    /// Waits until it is no longer ours under this token, though it may be under another.
    pub async fn lost(&self, token: OwnerToken) {
        let mut claims = self.0.clone();
        loop {
            let held = held(&mut claims).filter(|claim| claim.token == token);
            let Some(claim) = held else { return };
            let ends = async {
                match claim.ends {
                    Some(ends) => sleep_until(ends).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = ends => {}
                () = changed(&mut claims) => {}
            }
        }
    }
}

fn held(claims: &mut watch::Receiver<Option<Claim>>) -> Option<Claim> {
    claims.borrow_and_update().filter(|claim| claim.holds(Instant::now()))
}

/// Waits until the keeper says something; for ever when there is none.
async fn changed(claims: &mut watch::Receiver<Option<Claim>>) {
    if claims.changed().await.is_err() {
        pending::<()>().await;
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
