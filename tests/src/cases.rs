//! Every case: one idea per file, one claim per function.

use std::pin::Pin;

use anyhow::Result;

use crate::context::Context;

pub mod cancelling;
pub mod cluster;
pub mod command_line;
pub mod configuration;
pub mod crashes;
pub mod delivery;
pub mod doctor;
pub mod failures;
pub mod faults;
pub mod isolation;
pub mod languages;
pub mod listening;
pub mod logging;
pub mod modes;
pub mod outages;
pub mod parking;
pub mod privacy;
pub mod producing;
pub mod publishing;
pub mod recording;
pub mod retries;
pub mod shutdown;
pub mod store;

/// One claim about the fleet.
#[derive(Debug)]
pub struct Case {
    /// `file::claim`.
    pub name: &'static str,
    /// Tries to break it.
    pub run: fn(Context) -> Trying,
}

/// A case being run.
pub type Trying = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Names each case once.
macro_rules! cases {
    ($($claim:path,)*) => {
        /// All cases, those that take longest first.
        pub const CASES: &[Case] = &[$(Case {
            name: stringify!($claim),
            run: |context| Box::pin($claim(context)),
        },)*];
    };
}

cases! {
    faults::a_row_of_the_matrix_is_tried_and_told,
    cluster::a_killed_leader_loses_nothing_and_repeats_little,
    cluster::without_a_quorum_nothing_is_sent_and_nothing_is_lost,
    crashes::a_killed_broker_loses_nothing_and_repeats_little,
    crashes::a_killed_worker_loses_nothing_and_repeats_little,
    outages::broker::a_broker_restarted_under_load_loses_nothing,
    outages::broker::no_attempt_is_started_while_the_broker_blocks,
    outages::broker::what_the_broker_closes_under_load_is_opened_again,
    outages::broker::a_connection_that_falls_silent_is_given_up,
    outages::broker::connections_cut_off_anywhere_lose_nothing,
    outages::broker::an_exchange_that_is_missing_is_waited_for,
    outages::broker::a_queue_deleted_and_declared_again_is_consumed_again,
    outages::redis::nobody_is_taken_for_unwanting_on_the_word_of_nonsense,
    outages::redis::a_spoilt_copy_is_never_taken_for_an_empty_one,
    outages::redis::a_redis_that_stops_and_returns_under_load_costs_nothing,
    outages::redis::a_redis_flushed_under_load_costs_nothing,
    outages::redis::a_redis_that_answers_too_late_is_done_without,
    outages::redis::a_redis_that_answers_late_but_in_time_is_used,
    outages::redis::a_redis_that_answers_nonsense_is_done_without,
    outages::postgres::events_wait_for_a_postgres_that_answers_too_late,
    outages::postgres::events_of_an_organisation_that_nobody_knows_wait_for_postgres,
    outages::postgres::a_postgres_restarted_under_load_costs_nothing,
    outages::refusals::an_end_that_the_full_log_refuses_is_said_later,
    outages::refusals::a_full_rung_is_stepped_over,
    outages::refusals::a_missing_rung_is_stepped_over,
    outages::policies::the_shipped_policy_keeps_a_hostile_one_away,
    isolation::bad_webhooks_cost_the_others_nothing,
    shutdown::a_worker_that_is_told_to_stop_under_load_loses_and_repeats_nothing,
    shutdown::a_request_under_way_is_finished_before_the_worker_ends,
    producing::a_broker_that_takes_nothing_says_why,
    outages::delivery_goes_on_without_redis,
    outages::delivery_goes_on_without_postgres,
    cancelling::a_webhook_disabled_between_attempts_cancels_the_delivery,
    cancelling::a_webhook_removed_between_attempts_cancels_the_delivery,
    cancelling::an_endpoint_that_is_gone_disables_its_webhook,
    recording::recorders_that_share_and_are_killed_lose_and_repeat_nothing,
    recording::without_postgres_delivery_goes_on_and_the_tables_catch_up,
    recording::what_is_told_again_changes_nothing,
    recording::nothing_lies_open_in_the_tables,
    recording::records::any_order_of_records_settles_as_the_program_says,
    recording::flaws::what_is_no_batch_is_parked_with_its_reason_and_its_bytes,
    recording::flaws::a_record_that_cannot_be_written_does_not_hold_up_the_others,
    recording::flaws::what_a_later_version_wrote_waits_for_a_newer_recorder,
    recording::flaws::a_record_from_the_future_is_parked,
    recording::listing::deliveries_are_found_by_what_they_are,
    recording::listing::a_payload_is_shown_only_when_asked_for,
    recording::expiry::what_is_too_old_goes_and_nothing_else,
    logging::the_log_agrees_with_the_receivers_request_by_request,
    retries::a_failing_endpoint_sees_three_attempts_and_no_more,
    retries::one_failing_endpoint_does_not_make_others_see_an_event_again,
    retries::a_wait_that_the_endpoint_asks_for_is_rounded_up_to_a_rung,
    failures::a_redirect_is_a_failure_and_is_not_followed,
    failures::an_endpoint_that_never_answers_costs_an_attempt,
    failures::an_endpoint_nobody_listens_at_exhausts_its_attempts,
    failures::an_endpoint_nobody_vouches_for_is_sent_nothing,
    failures::a_forbidden_address_is_never_connected_to,
    delivery::a_published_event_is_delivered_once_signed_and_collapsed,
    delivery::a_request_carries_the_headers_of_the_contract_and_no_others,
    delivery::each_webhook_gets_what_it_expands_and_nothing_else,
    delivery::a_webhook_gets_the_event_types_it_asked_for_and_no_others,
    delivery::a_type_nobody_has_heard_of_is_delivered_to_who_asked_for_it,
    languages::the_published_python_library_verifies_every_delivery,
    languages::the_published_node_library_verifies_every_delivery,
    languages::an_event_published_from_python_is_delivered,
    modes::live_and_test_never_meet,
    parking::what_cannot_be_read_is_parked_with_its_reason_and_its_bytes,
    parking::what_contradicts_itself_is_parked_with_its_reason_and_its_bytes,
    parking::what_fits_no_queue_is_kept,
    privacy::neither_logs_nor_metrics_tell_health_data_or_credentials,
    producing::many_events_are_confirmed_each_by_its_own_id,
    producing::what_no_queue_would_take_is_told_from_what_has_no_exchange,
    listening::a_local_receiver_verifies_and_answers_in_turn,
    doctor::a_sound_fleet_passes_and_a_foreign_policy_does_not,
    publishing::good_lines_are_published_and_bad_ones_are_told_by_number,
    publishing::an_appointment_that_cannot_be_delivered_is_refused_before_it_is_sent,
    faults::a_misspelt_row_is_refused_with_those_there_are,
    command_line::servers_that_are_away_are_named_with_a_remedy,
    command_line::wrong_passwords_are_told_and_not_repeated,
    command_line::a_worker_says_that_redis_refuses_its_password,
    command_line::a_wrong_url_registers_nothing,
    command_line::a_forbidden_address_is_refused_when_it_is_registered,
    command_line::a_health_port_that_is_taken_is_named,
    configuration::a_misspelt_variable_is_refused_with_the_right_one,
    configuration::a_misspelt_key_is_refused_with_the_right_one,
    configuration::all_problems_are_told_at_once,
    store::a_registered_webhook_is_resolved_ready_to_sign_and_only_in_its_mode,
    store::a_disabled_webhook_keeps_its_first_reason_until_it_is_enabled,
    store::duplicates_and_one_webhook_too_many_are_refused,
    store::what_could_not_be_read_back_is_not_stored,
    store::a_missing_or_wrong_sealing_key_is_told_and_never_signs,
    store::redis_holds_no_url_and_no_secret_in_the_clear,
    store::an_attempt_is_claimed_by_one_copy,
    store::migrating_twice_or_at_once_is_harmless,
    store::changes::a_change_is_published_to_every_memory,
    store::changes::a_change_that_could_not_be_published_holds_within_5_s,
    store::changes::a_change_nobody_told_of_holds_within_5_s,
    store::changes::a_flushed_redis_is_filled_again,
    store::changes::many_who_ask_at_once_read_postgres_once,
    store::changes::an_old_read_does_not_replace_a_newer_copy,
    store::changes::a_watched_memory_is_not_read_again,
    store::outages::without_redis_postgres_answers,
    store::outages::without_postgres_redis_answers_and_then_memory,
    store::outages::silent_servers_are_given_up_in_time,
    store::outages::errors_say_what_to_do_and_show_no_password,
}
