//! The gateway as its users meet it: the built program over real sockets, with a real database
//! and a stand-in for the platform. One file per behaviour.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod a_city_is_spoken_to_by_template;
mod a_lane_is_paused_and_resumed;
mod bad_input_is_survived;
mod calls_are_asked;
mod calls_are_handed_over;
mod carriers_are_answered;
mod carriers_are_explained;
mod citizens_are_answered;
mod commands_say_what_they_do;
mod configuration_is_read_again;
mod conversations_are_rehearsed;
mod damaged_hides_nothing;
mod dead_letters_are_replayed;
mod destinations_are_apart;
mod disk_floor_is_kept;
mod duplicate_is_answered_alike;
mod invitations_are_taken;
mod keys_and_texts_are_answers;
mod killed_between_steps;
mod links_are_heard;
mod nobodys_number_leaks;
mod one_time_tokens_are_kept;
mod order_is_kept;
mod platform_down_then_drains;
mod quarantine_is_read_again;
mod recordings_are_fetched;
mod records_are_read_again;
mod recovers_without_a_restart;
mod refused_before_it_is_read;
mod resent_under_new_ids;
mod second_gateway_is_told;
mod shutdown_loses_nothing;
mod sick_store_recovers;
mod strangers_are_configuration;
mod support;
mod survives_kill;
mod the_ledger_balances;
mod the_national_family_is_spoken;
mod the_platform_knows_us;
mod the_platform_sets_the_pace;
mod tls_and_http2;
mod torn_log_is_survived;
mod unreadable_is_quarantined;
mod upside_down_is_noticed;

#[expect(dead_code, reason = "the carriers' own test uses all of it")]
#[path = "../support/exchange.rs"]
mod exchange;

#[path = "../support/openapi.rs"]
mod openapi;

mod request {
    pub(crate) use crate::exchange::Request;
}

#[path = "../support/transcript.rs"]
mod transcript;
