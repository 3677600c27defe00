//! Nodes, a platform that they serve, and carriers that call them all the time.
//!
//! ```ignore
//! let cluster = Cluster::start(2).await;      // or Cluster::over(&url, &nodes_url, 2, own)
//! let load = cluster.load(8);                 // callers go on until they are told to end
//! load.some(100).await;                       // so many more were acknowledged
//! ...                                         // a fault
//! load.some(100).await;
//! cluster.counted(load.ended().await).await;  // the sum
//! ```
//!
//! A caller does as a carrier: what is answered busy or not at all it repeats, at the next node, until it is
//! acknowledged. [`Cluster::counted`] waits until all is delivered, and asserts that of each acknowledged callback there
//! is one record, which had effect once, that `lane status` adds up, that the ledger is equal to what is stored, that
//! nodes stop in order, and that nothing panicked.
//!
//! Nodes are [`alone::Gateway`]s, and have their verbs. The load goes where [`load::Balancer`] says; a node that is
//! restarted by [`Cluster::restart`] is known to it under its new port. The root of a test binary that uses this has
//! also `tests/support/exchange.rs` as its module `exchange`.

#[expect(dead_code, unused_imports, reason = "one gateway alone is tested by it")]
#[path = "../../it/support/mod.rs"]
pub(crate) mod alone;
mod cluster;
mod inviting;
mod load;
#[expect(dead_code, unused_imports, reason = "servers are tested with it")]
#[path = "../../support/postgres/mod.rs"]
pub(crate) mod postgres;

pub(crate) use alone::until;
pub(crate) use cluster::Cluster;
pub(crate) use inviting::INVITING;
pub(crate) use load::Sent;
