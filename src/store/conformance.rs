//! One suite for every backend: what a [`Store`](super::Store) promises, whatever it is made of.
//!
//! Job: cases that take a `&dyn Store` (through [`desk::Desk`]) and know nothing of files or SQL. A backend runs them all
//! with [`for_every_case`]. Each case gets a store of its own.

pub(crate) mod antrean;
pub(crate) mod claims;
pub(crate) mod contract;
pub(crate) mod crashes;
pub(crate) mod damaged;
pub(crate) mod desk;
pub(crate) mod gates;
pub(crate) mod gateway;
pub(crate) mod intake;
pub(crate) mod keep;
pub(crate) mod lanes;
pub(crate) mod ledger;
pub(crate) mod parted;
pub(crate) mod people;
pub(crate) mod walk;

/// Calls `$run!` with the path of every case.
macro_rules! for_every_case {
    ($run:ident) => {
        $run! {
            intake::promise_10_the_same_body_again_is_the_same_submission,
            intake::promise_10_another_body_under_the_same_reference_is_a_conflict,
            intake::promise_10_duplicates_that_arrive_together_answer_as_the_first_did,
            intake::promise_10_a_submission_is_accepted_whole_or_not_at_all,
            intake::promise_10_a_bad_neighbour_in_a_group_takes_nobody_with_it,
            intake::the_same_reference_of_another_client_or_facility_is_another_submission,
            intake::an_entry_is_found_by_its_references,
            intake::promise_11_the_changes_feed_can_be_replayed_from_zero,
            intake::lists_page_in_order_of_acceptance,
            intake::the_filters_agree_with_the_deliveries_themselves,
            intake::promise_6_amend_keeps_the_original_body_for_idempotency,
            intake::the_journal_has_the_days_asked_for_and_only_them,
            claims::the_attempts_row_is_there_before_claim_returns,
            claims::what_is_leased_is_not_leased_again,
            claims::the_nearest_target_goes_first,
            claims::what_can_still_be_in_time_goes_before_a_backlog_and_that_in_the_order_of_its_dates,
            claims::promise_1_a_stale_token_records_nothing,
            claims::promise_1_a_crash_puts_what_was_sending_in_doubt,
            claims::only_leases_that_ran_out_are_reclaimed_while_running,
            claims::promise_9_what_passed_its_last_date_expires_and_can_be_retried_once_and_for_all,
            claims::promise_9_an_edit_in_doubt_past_its_last_date_stops_nobody,
            claims::promise_9_a_blocked_entry_in_doubt_can_pass_its_last_date,
            claims::promise_13_distrust_makes_everything_look_first,
            claims::next_due_is_the_earliest_that_may_be_claimed,
            claims::an_attempt_keeps_its_credentials_stamp_and_words,
            crashes::who_was_in_flight_three_times_is_held_and_the_others_go_on,
            crashes::a_recorded_end_clears_a_suspect_and_a_look_up_does_not,
            crashes::suspects_are_tried_one_at_a_time_and_not_in_the_first_seconds_of_a_run,
            crashes::a_persons_retry_begins_the_count_anew,
            crashes::a_panicked_attempt_counts_as_a_crash,
            crashes::who_kills_the_claim_three_times_is_held_without_being_opened,
            crashes::who_is_unknown_held_by_somebody_or_final_is_not_blamed_for_a_claim,
            lanes::promise_4_a_patient_is_served_in_order,
            lanes::promise_4_no_item_blocks_another_patient,
            lanes::promise_4_an_entry_for_tomorrow_does_not_block_todays,
            lanes::promise_4_order_is_inherited_along_after,
            lanes::promise_4_order_is_inherited_from_the_visit,
            lanes::promise_4_what_comes_back_goes_first_again,
            lanes::promise_4_what_came_back_during_a_look_up_still_goes_first,
            lanes::promise_7_refused_credentials_stop_the_lane_until_a_newer_version,
            lanes::promise_15_a_pause_stops_sending_and_not_accepting,
            gates::promise_6_children_wait_and_know_for_what,
            gates::promise_6_a_refusal_holds_children_and_grandchildren,
            gates::promise_6_delivered_after_all_they_go_back_by_themselves,
            gates::promise_6_a_parent_that_a_person_holds_no_longer_fails_its_children,
            gates::promise_6_a_child_accepted_after_the_refusal_is_held_at_once,
            gates::promise_3_an_adopted_parent_makes_children_look_first,
            gates::promise_3_a_parent_adopted_while_its_child_was_held_is_not_forgotten,
            gates::a_chain_of_a_thousand_is_held_and_let_go,
            people::promise_2_a_newcomer_to_an_owned_id_is_refused_naming_the_owner,
            people::promise_2_a_person_cannot_adopt_an_owned_id,
            people::promise_2_a_delete_sets_the_id_free,
            people::promise_2_a_copy_taken_meanwhile_is_counted_again,
            people::promise_2_the_same_number_in_another_scope_is_another_id,
            people::acts_that_the_state_refuses_change_nothing_and_log_nothing,
            people::every_act_is_in_the_log_and_the_chain_verifies,
            people::an_act_on_nothing_is_unknown,
            people::the_tally_equals_the_count_after_a_days_work,
            walk::whatever_happens_order_prerequisites_and_counts_hold,
            gateway::a_key_that_nobody_used_has_no_generation,
            gateway::a_key_stands_where_its_newest_submission_stands,
            gateway::a_key_belongs_to_one_client_facility_and_operation,
            gateway::what_came_in_another_way_is_found_by_its_natural_key,
            gateway::a_delivered_delete_releases_what_its_id_frees,
            gateway::a_delivered_delete_releases_what_its_natural_key_names,
            gateway::a_delete_that_was_not_delivered_releases_nothing,
            gateway::a_later_edit_and_a_later_add_supersede,
            gateway::provisional_numbers_are_the_same_every_time_and_nobody_elses,
            gateway::provisional_numbers_that_collide_are_told_apart,
            gateway::an_attempt_keeps_what_it_was_answered_until_it_is_retired,
            keep::rows_of_several_words_are_kept_once,
            keep::a_list_belongs_to_one_facility_operation_and_scope,
            keep::a_list_that_became_shorter_loses_its_end,
            keep::a_standing_is_found_by_card_and_by_nik_and_the_last_word_counts,
            keep::what_is_kept_goes_by_its_age,
            keep::of_too_much_the_oldest_goes_and_is_whole_no_longer,
            keep::a_facilitys_kept_reads_are_cleared_with_a_row_in_the_log,
            ledger::one_outage_is_open_per_service_and_closing_counts,
            ledger::an_outage_that_is_not_there_is_an_error,
            ledger::reconciliations_keep_their_reports,
            contract::announced_maintenance_is_kept_until_it_is_over,
            contract::announced_maintenance_is_withdrawn_once,
            contract::an_outage_is_classified_and_its_effect_is_told,
            contract::settlements_are_kept_in_order_with_their_rows_in_the_log,
            contract::days_are_wanted_done_wanted_again_and_forgotten,
            contract::the_books_have_the_month_the_mark_and_the_client,
            contract::delivered_edits_of_later_days_are_found,
            contract::the_journal_is_read_by_operation_with_the_client_that_handed_in,
            contract::a_patients_journal_has_that_patients_entries_of_the_days_only,
            contract::dates_move_in_one_go_for_what_was_declared_and_what_is_expired_stays,
            antrean::a_number_is_given_once_and_a_card_has_one_per_poli_and_day,
            antrean::bookings_that_arrive_together_share_no_number,
            antrean::whatever_is_booked_and_cancelled_numbers_and_quotas_hold,
            antrean::a_schedule_is_replaced_and_what_it_leaves_behind_is_counted,
            antrean::who_is_unknown_gets_no_number_until_the_sim_knows_or_the_registration_waits,
            antrean::the_queue_moves_as_the_sim_says_and_no_further,
            antrean::a_number_is_called_whether_we_gave_it_or_not,
            antrean::the_feed_has_all_kinds_in_one_order_and_can_be_replayed,
            antrean::persons_are_forgotten_after_their_time_and_numbers_are_not,
            ledger::circuits_and_pauses_are_remembered,
            ledger::events_are_numbered_kept_and_logged,
            ledger::a_duty_is_marked_done_once,
            ledger::totals_name_the_oldest_and_the_nearest,
            ledger::a_lanes_load_is_its_queue_in_dispatch_order_and_what_was_delivered_lately,
            parted::promise_4_what_was_ahead_of_its_day_holds_up_the_patient_once_it_is_on_its_way,
            parted::promise_4_of_one_patient_one_is_claimed_at_a_time,
            parted::promise_6_an_entry_of_the_network_waits_for_approval_whatever_its_prerequisite_does,
            parted::promise_6_a_held_entry_names_the_prerequisite_that_stands_in_its_way_now,
            parted::an_entry_of_which_nothing_new_is_known_is_not_touched,
            parted::what_a_method_answers_is_what_is_read_afterwards,
            parted::a_patients_journal_takes_the_patterns_of_the_journal,
            parted::what_was_refused_before_it_was_delivered_counts_once_in_the_load,
            parted::what_is_overdue_expires_in_order_of_its_last_date,
            parted::reconciliations_that_began_together_are_listed_by_name,
            parted::promise_15_paused_or_stopped_again_it_is_so_since_the_first_time,
            parted::promise_10_what_is_there_already_or_cannot_be_is_refused_whole,
            parted::a_kept_list_is_not_called_complete_that_is_not_whole,
            parted::a_schedule_with_a_session_twice_changes_nothing,
            ledger::a_commit_that_changes_something_wakes_and_an_empty_claim_does_not,
        }
    };
}
pub(crate) use for_every_case;
