//! Several nodes of the built program over one PostgreSQL database, under load: whatever happens to them, what was
//! acknowledged is there once. One file per behaviour.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod a_spool_takes_what_comes_while_the_database_is_away;
mod support;
mod the_sums_are_right_without_a_fault;

#[expect(dead_code, reason = "the carriers' own test uses all of it")]
#[path = "../support/exchange.rs"]
mod exchange;
