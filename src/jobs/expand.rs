//! Expanding notices: what they are about is asked of the provider, and committed together with
//! the cursor that moved and the notices that are answered.

use hearken_engine::{App, Expanded, Micros, document::Document};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tracing::{debug, error, warn};

use super::{backoff, crew::Worked, lease::Lease};
use crate::{
    clock,
    context::Shared,
    ids,
    ingress::{Sifted, notice_place, sift},
    lifecycle::{self, Failure},
    store::{
        Expansion, Inbound, StoreError,
        model::{Notice, Receipt, Trigger},
    },
};

/// Calls of one script before other triggers have their turn.
const ROUNDS: usize = 50;
/// Notices that one expansion answers at most, and receipts of theirs that its own names.
const NOTICES: u32 = 1_000;
const NAMED: usize = 100;

/// How one call ended.
enum Round {
    /// There may be more to do.
    Again,
    End(Worked),
}

/// Expands a trigger's notices until none is left that is due.
pub(super) async fn work(context: &Shared, trigger: &str) -> Result<Worked, StoreError> {
    let Some(lease) = Lease::take(context, format!("trigger:{trigger}")).await? else {
        return Ok(Worked::Taken);
    };
    lease.during(Box::pin(rounds(context, trigger, &lease))).await
}

async fn rounds(context: &Shared, trigger: &str, lease: &Lease<'_>) -> Result<Worked, StoreError> {
    for _ in 0..ROUNDS {
        if context.jobs.stop.is_cancelled() {
            break;
        }
        if let Round::End(worked) = round(context, trigger, lease).await? {
            return Ok(worked);
        }
    }
    Ok(Worked::Done)
}

async fn round(context: &Shared, id: &str, lease: &Lease<'_>) -> Result<Round, StoreError> {
    let now = clock::now();
    // In this order: the cursor may be newer than the notices say, never older.
    let notices = context.store.notices_of(id, now, NOTICES).await?;
    let Some(oldest) = notices.first() else { return Ok(Round::End(Worked::Done)) };
    let trigger = context.store.trigger_for_ingress(id).await?;
    let Some(trigger) = trigger.filter(|trigger| takes_events(&trigger.status)) else {
        context.store.drop_notices(id, now).await?;
        return Ok(Round::End(Worked::Done));
    };
    if trigger.status == "registering" {
        let soon = now + context.config.jobs.backoff_seconds.micros();
        context.store.postpone_notices(id, None, soon).await?;
        return Ok(Round::End(Worked::Done));
    }
    let result = match lifecycle::expand(context, &trigger, document(context, oldest)).await {
        Ok((app, expanded)) => {
            commit(context, &trigger, &notices, &app, expanded, lease).await.map_err(Failure::from)
        }
        Err(failure) => Err(failure),
    };
    let outcome = match &result {
        Ok(true) => "ok",
        Ok(false) => "lost",
        Err(_) => "failed",
    };
    metrics::counter!("hearken_expansions_total", "app" => trigger.app.clone(), "result" => outcome)
        .increment(1);
    match result {
        Ok(true) => Ok(Round::Again),
        Ok(false) => {
            debug!(trigger = id, "an expansion was overtaken; nothing of it is kept");
            Ok(Round::End(Worked::Done))
        }
        Err(failure) => {
            put_off(context, &trigger, &notices, &failure).await?;
            Ok(Round::End(Worked::Failed))
        }
    }
}

/// A paused or broken trigger drops its notices; it is looked at once it works again.
fn takes_events(status: &str) -> bool {
    !matches!(status, "paused" | "error")
}

/// The document of a notice; none for a look that was due without one.
fn document(context: &Shared, notice: &Notice) -> Option<Document> {
    let sealed = notice.document.as_ref()?;
    let opened = context.vault.open(notice_place(&notice.id, &notice.project_id), sealed);
    let text = opened
        .inspect_err(|error| error!(notice = %notice.id, %error, "a notice does not open"))
        .ok()?;
    serde_json::from_str(text.expose_secret()).ok().map(Document::new)
}

/// Commits what was found; `false` where somebody else was faster.
async fn commit(
    context: &Shared,
    trigger: &Trigger,
    notices: &[Notice],
    app: &App,
    expanded: Expanded,
    lease: &Lease<'_>,
) -> Result<bool, StoreError> {
    let Some(subscriber) = context.subscribers.find(context, &trigger.id).await? else {
        return Ok(false);
    };
    let now = clock::now();
    let answered = match (expanded.more, &expanded.cursor) {
        // They stay until all is had, so that a crash in between costs nothing.
        (true, _) => &[],
        // From the cursor on, everything was read that older notices could tell of.
        (false, Some(_)) => notices,
        (false, None) => &notices[..1],
    };
    let sifted = sift(&subscriber, expanded.events, now);
    let expansion = Expansion {
        lease: (lease.name.clone(), lease.fence),
        trigger: trigger.id.clone(),
        from: trigger.upkeep.cursor.clone(),
        to: expanded.cursor.as_ref().map(Value::to_string),
        look_at: now + context.config.jobs.look_seconds.micros(),
        found: found(trigger, notices, app, sifted, now),
        answered: answered.iter().map(|notice| notice.id.clone()).collect(),
    };
    Ok(context.store.commit_expansion(expansion).await?.is_some())
}

/// The events with a receipt that explains them. A look that found nothing leaves none.
fn found(
    trigger: &Trigger,
    notices: &[Notice],
    app: &App,
    sifted: Sifted,
    now: Micros,
) -> Option<Inbound> {
    let receipts = notices.iter().filter_map(|notice| notice.receipt_id.as_ref());
    let receipts: Vec<_> = receipts.take(NAMED).collect();
    let Sifted { kept, dropped, reason } = sifted;
    let (outcome, reason) = match (kept.is_empty(), dropped.is_empty()) {
        (false, _) => ("stored", None),
        (true, false) => ("filtered", reason),
        (true, true) if receipts.is_empty() => return None,
        (true, true) => ("ignored", Some("the provider had nothing more to tell".to_owned())),
    };
    let mut detail = Map::from_iter([("expanded".to_owned(), json!({ "notices": receipts }))]);
    if !dropped.is_empty() {
        detail.insert("filtered".to_owned(), Value::Array(dropped));
    }
    let receipt = Receipt {
        provider_app_id: None,
        id: ids::new(ids::RECEIPT),
        project_id: Some(trigger.project_id.clone()),
        trigger_id: Some(trigger.id.clone()),
        app: app.slug.clone(),
        method: "EXPAND".to_owned(),
        headers: json!([]),
        body: None,
        body_size: 0,
        outcome: outcome.to_owned(),
        reason,
        detail: Value::Object(detail),
        answered: 0,
        definition_version: Some(app.version.clone()),
        received_at: now,
    };
    Some(Inbound { receipt, events: kept, notice: None })
}

/// Notes a failure, and has the notices wait.
async fn put_off(
    context: &Shared,
    trigger: &Trigger,
    notices: &[Notice],
    failure: &Failure,
) -> Result<(), StoreError> {
    let failures = notices.iter().map(|notice| notice.attempts).max().unwrap_or_default() + 1;
    let pause = backoff::pause(&context.config.jobs, failures);
    let pause = failure.retry_after.map_or(pause, |wanted| wanted.max(pause));
    let now = clock::now();
    warn!(trigger = %trigger.id, failures, reason = failure.reason,
        "a notice could not be expanded; it is tried again");
    if failure.unauthorised {
        context.store.set_needs_reconnect(&trigger.id, &failure.reason, now).await?;
    }
    let again = now.saturating_add(backoff::micros(pause));
    context.store.postpone_notices(&trigger.id, Some(&failure.reason), again).await
}
