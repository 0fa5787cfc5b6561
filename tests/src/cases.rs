//! Every case: one idea per file, one claim per function.

use std::pin::Pin;

use anyhow::Result;

use crate::context::Context;

pub mod api;
pub mod browsing;
pub mod cancelling;
pub mod cluster;
pub mod command_line;
pub mod configuration;
pub mod console;
pub mod crashes;
pub mod delivery;
pub mod doctor;
pub mod event_types;
pub mod failures;
pub mod faults;
pub mod isolation;
pub mod languages;
pub mod listening;
pub mod logging;
pub mod modes;
pub mod observing;
pub mod outages;
pub mod parked;
pub mod parking;
pub mod privacy;
pub mod producing;
pub mod publishing;
pub mod recording;
pub mod recovery;
pub mod requested_events;
pub mod retries;
pub mod shards;
pub mod shutdown;
pub mod store;
pub mod test_events;
pub mod tracing;
pub mod verifying;
pub mod walkthrough;

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
    faults::what_a_burst_costs_the_others_is_measured_and_told,
    cluster::a_killed_leader_loses_nothing_and_repeats_little,
    crashes::a_killed_broker_loses_nothing_and_repeats_little,
    crashes::a_killed_worker_loses_nothing_and_repeats_little,
    outages::broker::a_broker_restarted_under_load_loses_nothing,
    outages::broker::no_attempt_is_started_while_the_broker_blocks,
    outages::broker::what_the_broker_closes_under_load_is_opened_again,
    outages::broker::a_connection_that_falls_silent_is_given_up,
    outages::broker::connections_cut_off_anywhere_lose_nothing,
    outages::broker::an_exchange_that_is_missing_is_waited_for,
    outages::broker::a_queue_deleted_and_declared_again_is_consumed_again,
    outages::redis::nonsense_is_nobodys_claim,
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
    cluster::without_a_quorum_nothing_is_sent_and_nothing_is_lost,
    outages::policies::the_shipped_policy_keeps_a_hostile_one_away,
    observing::alerts_pass_their_unit_tests,
    observing::each_lane_tells_when_what_it_takes_had_come,
    observing::panels::every_panel_has_data_and_no_alert_fires_in_a_healthy_fleet,
    observing::alerts::broker::a_broker_that_takes_nothing_or_is_gone_is_told,
    observing::alerts::processes::processes_that_cannot_work_or_are_gone_are_told,
    observing::alerts::stores::stores_that_are_away_are_told,
    observing::alerts::flow::endpoints_that_cannot_be_reached_are_told,
    observing::alerts::flow::a_backlog_is_told,
    observing::alerts::broker::results_that_no_queue_takes_are_told,
    observing::alerts::flow::events_that_come_late_or_are_given_up_are_told,
    observing::alerts::flow::events_that_nobody_takes_are_told,
    observing::alerts::flow::a_message_that_is_set_aside_is_told,
    observing::alerts::processes::scarce_descriptors_are_told,
    observing::alerts::stores::records_that_the_log_refuses_are_told,
    observing::alerts::stores::records_that_nobody_can_read_and_records_that_are_late_are_told,
    observing::prometheus_starts_beside_the_stack_and_stops_with_it,
    isolation::bad_webhooks_cost_the_others_nothing,
    shards::their_number_changes_under_load_and_each_event_is_delivered_once,
    shards::a_change_that_is_killed_halfway_costs_nothing_and_is_completed_by_the_next,
    shards::a_burst_on_one_shard_leaves_the_others_their_places,
    shards::without_the_plugin_one_shard_works_and_several_say_what_is_missing,
    shards::the_events_of_an_organisation_share_a_shard,
    isolation::slow_webhooks_go_by_a_lane_of_their_own,
    isolation::a_worker_that_stops_repeats_nothing_of_the_slow_lane,
    shutdown::a_worker_that_is_told_to_stop_under_load_loses_and_repeats_nothing,
    shutdown::a_request_under_way_is_finished_before_the_worker_ends,
    producing::a_broker_that_takes_nothing_says_why,
    outages::delivery_goes_on_without_redis,
    outages::delivery_goes_on_without_postgres,
    tracing::an_event_keeps_its_trace_from_attempt_to_attempt_and_no_endpoint_sees_it,
    tracing::an_event_whose_trace_cannot_be_read_is_delivered_without_it,
    cancelling::a_webhook_disabled_between_attempts_cancels_the_delivery,
    cancelling::a_webhook_removed_between_attempts_cancels_the_delivery,
    cancelling::an_endpoint_that_is_gone_disables_its_webhook,
    cancelling::an_endpoint_that_is_gone_cancels_what_waits_for_it,
    browsing::guide::the_guides_steps_work_word_for_word_in_test_mode_and_live,
    browsing::guide::the_guides_steps_work_without_javascript,
    browsing::guide::all_else_is_done_with_and_without_javascript,
    browsing::pages::every_page_is_accessible_and_light_and_fits_a_phone,
    browsing::pages::a_webhook_is_added_by_keyboard_alone,
    browsing::pages::a_pasted_request_is_judged_part_by_part,
    browsing::pages::keys_are_made_shown_once_and_revoked_and_that_is_in_the_audit,
    browsing::refusals::who_may_not_is_told_why_and_sees_nothing,
    api::changes::every_change_reaches_every_worker_within_5_s,
    api::description::no_request_gets_an_answer_that_the_description_does_not_tell,
    api::description::the_description_passes_a_linter,
    api::secrets::requests_are_signed_with_both_secrets_until_the_overlap_ends,
    api::secrets::a_secret_is_shown_to_who_asks_and_that_is_on_record,
    api::matrix::every_route_opens_to_whom_it_should_and_to_nobody_else,
    api::webhooks::a_webhook_lives_from_its_registration_to_its_deletion,
    api::webhooks::a_change_for_an_older_version_is_refused,
    api::webhooks::duplicates_and_one_webhook_too_many_are_refused,
    api::webhooks::every_wrong_field_is_named,
    api::webhooks::a_created_webhook_is_delivered_to,
    api::idempotency::the_same_creation_twice_is_made_once_and_answered_alike,
    api::idempotency::many_at_once_make_one,
    api::lists::pages_show_everything_once_while_more_is_added,
    api::lists::made_up_cursors_show_nothing,
    api::copies::a_copy_takes_a_key_of_each_mode_and_a_url_of_its_own,
    api::hostile::hostile_requests_are_refused_and_told_why,
    api::hostile::a_head_that_cannot_be_read_is_refused_barely,
    api::hostile::who_asks_too_often_waits_and_the_others_do_not,
    api::hostile::a_caller_who_is_slow_costs_the_others_nothing,
    api::deliveries::deliveries_and_events_are_found_by_what_they_are,
    api::deliveries::pages_show_every_delivery_once_while_more_begin,
    api::deliveries::a_name_that_exists_inside_is_told_like_one_that_does_not,
    api::deliveries::a_delivery_is_made_again_over_http,
    api::deliveries::what_is_expunged_is_gone_and_that_is_on_record,
    api::revealing::what_is_revealed_is_what_was_received_and_is_on_record,
    api::revealing::a_payload_that_is_gone_is_not_revealed_and_the_look_is_on_record,
    api::recoveries::a_recovery_is_counted_begun_watched_and_stopped,
    api::rates::a_request_counts_once_however_often_it_is_told,
    api::keys::a_key_lives_from_its_making_to_its_revocation,
    api::keys::keys_survive_a_rotation_of_the_sealing_key,
    api::keys::a_lost_or_wrong_sealing_key_is_told_at_the_start,
    api::keys::a_sign_in_opens_once_and_for_its_time,
    api::audit::who_did_what_is_on_record_with_the_change,
    api::audit::only_trusted_proxies_say_where_a_request_comes_from,
    console::deliveries::a_delivery_is_made_again_when_that_is_confirmed,
    console::deliveries::a_payload_is_shown_when_asked_for_and_that_is_on_record,
    console::deliveries::a_form_that_is_not_ours_shows_and_sends_nothing,
    console::deliveries::a_series_under_way_is_not_begun_beside_unless_somebody_insists,
    console::deliveries::what_comes_next_is_told_by_state,
    console::events::events_are_found_by_what_they_are,
    console::events::pages_show_every_event_once_while_more_begin,
    console::events::a_new_event_appears_without_the_page_being_loaded,
    console::events::what_is_anothers_is_not_found,
    console::events::hostile_events_are_shown_as_text,
    console::recoveries::many_are_counted_first_then_made_again,
    console::sessions::a_link_opens_once_and_not_by_being_looked_at,
    console::sessions::the_cookie_is_for_this_host_and_no_script_and_is_new_each_time,
    console::sessions::signing_out_ends_the_session_here_and_not_only_in_the_browser,
    console::sessions::a_session_ends_by_its_age_and_for_want_of_use,
    console::sessions::a_session_by_key_ends_with_the_key,
    console::sessions::other_roles_are_refused_with_the_reason,
    console::sessions::nobody_is_signed_in_by_another_sites_form,
    console::sessions::a_link_on_another_site_leads_to_the_page,
    console::modes::the_path_decides_the_mode_and_nothing_of_the_other_is_seen,
    console::modes::a_key_opens_one_mode_and_another_key_joins_it,
    console::forms::a_form_that_is_not_ours_changes_nothing,
    console::forms::hostile_words_are_shown_as_words,
    console::forms::errors_stand_beside_their_fields,
    console::webhooks::a_webhook_lives_from_its_form_to_its_deletion,
    console::webhooks::a_form_that_is_sent_twice_does_its_work_once,
    console::faring::a_list_tells_how_each_fares_and_not_what_must_not_be_told,
    console::pages::what_is_another_organisations_is_not_found,
    console::pages::a_refusal_is_a_page_here_and_json_there,
    console::pages::assets_are_light_and_kept_for_ever,
    console::pages::a_link_is_made_at_the_shell,
    api::serving::a_drain_finishes_the_requests_under_way,
    api::serving::without_postgres_callers_are_told_to_come_again,
    recording::waiting::what_an_unavailable_endpoint_is_owed_is_deferred_until_it_heals,
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
    recording::failing::only_what_failed_for_days_is_disabled_and_can_be_enabled,
    recording::failing::a_log_that_is_behind_disables_nobody,
    recording::failing::workers_hear_of_a_webhook_that_is_disabled_as_failing,
    recording::failing::no_webhook_is_disabled_when_the_operator_wants_none,
    recording::expiry::what_is_too_old_goes_and_nothing_else,
    recovery::jobs::a_recovery_whose_recorder_is_killed_owes_each_delivery_once,
    recovery::turns::a_recovery_that_waits_in_test_mode_holds_no_live_one_up,
    recovery::turns::a_slow_recovery_holds_no_other_one_up,
    recovery::jobs::a_recovery_that_is_cancelled_owes_no_more,
    recovery::jobs::a_recovery_fails_when_its_webhook_goes,
    recovery::jobs::a_dry_run_counts_and_begins_nothing,
    recovery::room::a_recovery_waits_while_the_due_lane_is_full,
    recovery::room::a_recovery_waits_while_fresh_events_do,
    recovery::an_exhausted_delivery_is_made_again_as_another_series,
    recovery::a_series_under_way_is_not_begun_beside_unless_forced,
    recovery::two_who_ask_at_once_get_one_series,
    recovery::a_series_published_twice_is_sent_once,
    recovery::what_cannot_be_sent_again_is_refused_with_the_reason,
    recovery::expunging::what_is_expunged_is_gone_and_stays_gone,
    parked::what_is_parked_is_shown_and_put_back,
    parked::what_the_broker_parked_is_put_back_as_it_was,
    parked::what_cannot_go_back_stays,
    parked::only_what_was_counted_is_thrown_away,
    parked::messages_of_the_log_are_told_by_their_reason,
    logging::the_log_agrees_with_the_receivers_request_by_request,
    retries::a_failing_endpoint_sees_three_attempts_and_no_more,
    retries::one_failing_endpoint_does_not_make_others_see_an_event_again,
    retries::a_wait_that_the_endpoint_asks_for_is_rounded_up_to_a_rung,
    failures::a_redirect_is_a_failure_and_is_not_followed,
    failures::an_endpoint_that_never_answers_costs_an_attempt,
    failures::an_endpoint_nobody_listens_at_exhausts_its_attempts,
    failures::an_endpoint_nobody_vouches_for_is_sent_nothing,
    failures::a_forbidden_address_is_never_connected_to,
    failures::networks_that_strangers_may_reach_are_told_loudly,
    delivery::a_published_event_is_delivered_once_signed_and_collapsed,
    delivery::a_request_carries_the_headers_of_the_contract_and_no_others,
    delivery::a_webhook_that_wants_the_id_alone_gets_nothing_else,
    delivery::who_wants_the_id_alone_can_expand_nothing,
    delivery::each_webhook_gets_what_it_expands_and_nothing_else,
    delivery::a_webhook_gets_the_event_types_it_asked_for_and_no_others,
    delivery::a_type_nobody_has_heard_of_is_delivered_to_who_asked_for_it,
    walkthrough::a_new_user_sees_a_test_event_arrive_by_curl_alone,
    test_events::a_test_event_reaches_one_webhook_signed_marked_and_logged,
    test_events::an_event_that_happened_is_not_marked,
    test_events::a_test_event_that_cannot_be_sent_is_refused,
    event_types::event_types_are_told_with_when_they_fire_and_a_sample,
    requested_events::without_a_broker_only_publishing_waits_and_says_until_when,
    requested_events::without_redis_events_are_published_all_the_same,
    requested_events::an_event_that_is_posted_is_delivered_like_one_that_was_published,
    requested_events::the_same_event_again_is_accepted_and_published_once,
    requested_events::what_is_wrong_with_an_event_is_told_by_field,
    requested_events::live_events_are_published_by_administrators_alone,
    languages::the_published_python_library_verifies_every_delivery,
    languages::the_published_node_library_verifies_every_delivery,
    languages::an_event_published_from_python_is_delivered,
    verifying::each_receiver_that_is_shown_takes_what_was_signed_and_refuses_the_rest,
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
    configuration::an_event_type_is_added_by_a_file,
    store::a_registered_webhook_is_resolved_ready_to_sign_and_only_in_its_mode,
    store::a_disabled_webhook_keeps_its_first_reason_until_it_is_enabled,
    store::duplicates_and_one_webhook_too_many_are_refused,
    store::what_could_not_be_read_back_is_not_stored,
    store::a_panic_costs_its_connection_and_nothing_else,
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
