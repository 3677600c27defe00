//! Several nodes of the built program over one PostgreSQL database, under load: whatever happens to them, what was
//! acknowledged is there once. One file per behaviour.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod a_commit_is_cut;
mod a_conversation_goes_over_nodes;
mod a_killed_node_is_stood_in_for;
mod a_link_is_taken_over;
mod a_paused_node_wakes_too_late;
mod a_spool_takes_what_comes_while_the_database_is_away;
mod no_connection_is_left;
mod nodes_are_upgraded_one_by_one;
mod order_is_kept_between_nodes;
mod support;
mod the_primary_is_failed_over;
mod the_same_comes_to_two_nodes_at_once;
mod the_server_stops_and_comes_back;
mod the_servers_disk_is_full;
mod the_sums_are_right_without_a_fault;
mod traffic_is_swallowed;

#[expect(dead_code, reason = "the carriers' own test uses all of it")]
#[path = "../support/exchange.rs"]
mod exchange;
