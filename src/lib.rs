//! bridge8890: the gateway between the carriers' voice and SMS callbacks and a provincial
//! platform for ratings of public services.
//!
//! # The path of a callback
//!
//! [`net`] accepts the connection. [`ingress`] finds the account, sheds load and reads the body.
//! [`intake`] has the account's [`carrier`] verify and decode it, and [`dialogue`] say what it
//! means by [`normalize`]'s rules. [`store`] commits the callback, its records and their places in
//! the queue in one transaction; only then does the carrier's success go out. [`egress`] leases
//! records from the queue, sends them to the platform and settles the answer in the store.
//! `docs/ARCHITECTURE.md` walks the whole of it.
//!
//! # The modules, by layer
//!
//! A layer imports lower ones only; `tests/architecture.rs` holds the table and its exceptions.
//!
//! | layer | module | what it is |
//! |---|---|---|
//! | 0 | [`model`] | the field's words as types |
//! | 0 | [`clock`] | time, randomness and ids, the only place that asks the system |
//! | 0 | [`signature`] | how the gateway and the platform sign what they ask of each other |
//! | 0 | [`sm2`] | signing and encrypting on the SM2 curve |
//! | 1 | [`config`] | one file over built-in defaults, checked; the carriers' dialects as data |
//! | 1 | [`normalize`] | how an answer is read: text or keys in, level and comment out |
//! | 1 | [`dialogue`] | which campaign asked, and what the answer becomes |
//! | 1 | [`telemetry`] | metrics, logs, health |
//! | 1 | [`lifecycle`] | every task, the soft stop and the hard one |
//! | 2 | [`carrier`] | speaks any dialect: what is believed, what was said, what is answered |
//! | 2 | [`store`] | callbacks, records and the queue in one database |
//! | 2 | [`net`] | listeners, TLS, timeouts, and calling others |
//! | 3 | [`intake`] | from a request to its answer |
//! | 3 | [`egress`] | from the queue to the platform |
//! | 4 | [`ingress`] | the carriers' listener |
//! | 4 | [`console`] | the operators' listener |
//! | 4 | [`session`] | carriers' WebSockets, opened by them or by us |
//! | 5 | [`app`] | builds and starts everything, and stops it in reverse |
//! | 5 | [`cli`] | the commands |
//! | 5 | [`standin`] | carriers and a platform for the demo, the tests and the load tests |

pub mod app;
pub mod carrier;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod dialogue;
pub mod egress;
pub mod ingress;
pub mod intake;
pub mod lifecycle;
pub mod model;
pub mod net;
pub mod normalize;
pub mod session;
pub mod signature;
pub mod sm2;
pub mod standin;
pub mod store;
pub mod telemetry;
