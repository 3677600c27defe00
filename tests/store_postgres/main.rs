//! The same promises as `tests/store`, on a PostgreSQL server.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set up its bench has failed"
)]

mod ground;
mod history;
#[path = "../support/postgres/shared.rs"]
mod shared;

#[path = "../store/bench.rs"]
mod bench;
#[path = "../store/concluded.rs"]
mod concluded;
#[path = "../store/contract.rs"]
mod contract;
#[path = "../store/dead.rs"]
mod dead;
#[path = "../store/dialogues.rs"]
mod dialogues;
#[path = "../store/lanes.rs"]
mod lanes;
#[path = "../store/ledger.rs"]
mod ledger;
#[path = "../store/messages.rs"]
mod messages;
#[path = "../store/order.rs"]
mod order;
#[path = "../store/ordered.rs"]
mod ordered;
#[path = "../store/orders.rs"]
mod orders;
#[path = "../store/recordings.rs"]
mod recordings;
#[path = "../store/replayed.rs"]
mod replayed;
#[path = "../store/reread.rs"]
mod reread;
#[path = "../store/resent.rs"]
mod resent;
#[path = "../store/revised.rs"]
mod revised;
#[path = "../store/schedules.rs"]
mod schedules;
mod spooled;
