//! The store on its own: what each verb promises, and what holds in any order of them.

#![expect(clippy::expect_used, reason = "a test that cannot set up its bench has failed")]

mod bench;
mod concluded;
mod contract;
mod dead;
mod dialogues;
mod ground;
mod lanes;
mod ledger;
mod messages;
mod migrated;
mod order;
mod ordered;
mod orders;
mod recordings;
mod replayed;
mod reread;
mod resent;
mod revised;
mod schedules;
