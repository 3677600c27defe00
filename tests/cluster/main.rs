//! Several nodes of the built program over one PostgreSQL database, under load: whatever happens to them, what was
//! acknowledged is there once. One file per behaviour.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod a_commit_is_cut;
mod no_connection_is_left;
mod support;
mod the_primary_is_failed_over;
mod the_server_stops_and_comes_back;
mod the_servers_disk_is_full;
mod the_sums_are_right_without_a_fault;
mod traffic_is_swallowed;

#[expect(dead_code, reason = "the carriers' own test uses all of it")]
#[path = "../support/exchange.rs"]
mod exchange;
