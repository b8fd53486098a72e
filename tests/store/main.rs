//! The store's contract: every promise is checked on SQLite and on PostgreSQL, by one text.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod consumers;
mod duplicates;
mod events;
mod fixture;
mod idempotency;
mod leases;
mod notices;
mod outage;
mod plans;
mod provider_apps;
mod record;
mod schema;
mod tenancy;
mod triggers;

/// Makes of each `async fn name(fixture: &Fixture)` one test per database.
macro_rules! both {
    ($($module:ident: $($name:ident),+;)+) => {
        both!(@on sqlite: $($module: $($name),+;)+);
        both!(@on postgres: $($module: $($name),+;)+);
    };
    (@on $kind:ident: $($module:ident: $($name:ident),+;)+) => {
        mod $kind {
            $(mod $module {
                $(#[tokio::test]
                async fn $name() {
                    let fixture = crate::fixture::Fixture::new(stringify!($kind)).await;
                    crate::$module::$name(&fixture).await;
                    fixture.store.close().await;
                })+
            })+
        }
    };
}

both! {
    accounts: projects_have_unique_names, keys_are_found_and_revoked, accounts_change,
        an_account_in_use_stays;
    tenancy: anothers_accounts_are_out_of_reach, anothers_triggers_are_out_of_reach,
        anothers_events_are_out_of_reach, a_trigger_cannot_use_anothers_account;
    triggers: lists_page_newest_first, lists_filter, search_takes_wildcards_literally,
        search_ignores_case, patches_change_what_they_name, registration_is_noted,
        a_handed_over_secret_is_kept_once, upkeep_finds_its_triggers, counts_by_app_and_status, a_deleted_trigger_leaves_its_history;
    record: a_request_and_its_events_come_back, a_rejection_is_only_a_receipt,
        triggers_show_the_last_proof, one_bad_request_harms_nobody_else,
        a_large_request_is_stored_whole, nul_characters_survive, exact_numbers_and_unicode_survive,
        long_ids_are_told_apart, deep_data_stays_readable, events_need_a_trigger;
    outage: a_closed_store_takes_nothing, closing_commits_what_waits,
        a_blocked_database_recovers;
    duplicates: a_key_is_stored_once, a_race_has_one_winner, replicas_agree,
        replicas_do_not_deadlock, a_partly_known_request_stores_the_rest,
        keys_are_per_trigger, a_deleted_event_frees_its_key;
    events: lists_filter_events, processed_once, expired_events_go, old_receipts_go,
        stats_count_what_came;
    idempotency: the_answer_is_given_again, another_request_is_a_mismatch,
        a_failed_request_frees_its_key, old_keys_start_afresh, one_of_many_begins;
    notices: a_notice_waits_until_it_is_answered, a_lost_lease_commits_nothing,
        a_cursor_moves_from_where_it_stands, what_failed_waits_as_a_whole,
        quiet_triggers_are_looked_at_once, renewals_are_due_and_noted;
    consumers: racing_pullers_share_every_event_once, what_is_given_back_comes_again,
        an_expired_lease_is_handed_on, a_consumer_seeks_back_and_forward,
        every_consumer_sees_everything_it_wants, what_fails_too_often_is_put_aside,
        events_come_in_the_order_they_came, what_retention_took_is_passed_over;
    plans: large_tables_are_not_scanned;
    leases: one_holds_at_a_time, many_race_for_one, an_ended_lease_is_taken_over,
        a_fence_never_returns;
    provider_apps: they_change_and_rotate, one_in_use_stays, flows_end_once,
        renewed_tokens_replace_only_what_they_renew, a_refused_account_takes_its_triggers_along;
    schema: opening_again_changes_nothing, replicas_start_together;
}
