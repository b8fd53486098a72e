//! Events: reading them and marking them processed. They come in through [`Store::record`].

use hearken_engine::Micros;

use super::{Page, Statement, Store, StoreError, model::TriggerEvent};

pub(super) const COLUMNS: &str = "id, project_id, trigger_id, app, event_type, external_event_id, data, \
    status, error, receipt_id, definition_version, occurred_at, received_at, processed_at, \
    delivered_at, expires_at";

/// Which events to list; every condition given must hold.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Trigger's id.
    pub trigger: Option<String>,
    /// App slug.
    pub app: Option<String>,
    /// Status.
    pub status: Option<String>,
    /// Event type.
    pub event_type: Option<String>,
    /// Received at this time or later.
    pub from: Option<Micros>,
    /// Received before this time.
    pub to: Option<Micros>,
}

impl Store {
    /// One event of a project.
    pub async fn event(&self, project: &str, id: &str) -> Result<Option<TriggerEvent>, StoreError> {
        self.read().row(select(project).and("id = $", Some(id))).await
    }

    /// The events of a project.
    pub async fn list_events(
        &self,
        project: &str,
        filter: &EventFilter,
        page: &Page,
    ) -> Result<Vec<TriggerEvent>, StoreError> {
        self.read().rows(list(project, filter, page)).await
    }

    /// Marks an event processed; returns it as it is now. A second time changes nothing.
    pub async fn mark_processed(
        &self,
        project: &str,
        id: &str,
        now: Micros,
    ) -> Result<Option<TriggerEvent>, StoreError> {
        let statement = Statement::new(
            "UPDATE events SET status = 'processed', processed_at = COALESCE(processed_at, $3)
             WHERE project_id = $1 AND id = $2 RETURNING ",
        );
        self.write().row(statement.then(COLUMNS).bind(project).bind(id).bind(now)).await
    }
}

pub(super) fn list(project: &str, filter: &EventFilter, page: &Page) -> Statement {
    select(project)
        .and("trigger_id = $", filter.trigger.as_deref())
        .and("app = $", filter.app.as_deref())
        .and("status = $", filter.status.as_deref())
        .and("event_type = $", filter.event_type.as_deref())
        .and("received_at >= $", filter.from)
        .and("received_at < $", filter.to)
        .page(page)
}

pub(super) fn select(project: &str) -> Statement {
    let statement = Statement::new("SELECT ").then(COLUMNS);
    statement.then(" FROM events WHERE project_id = $1").bind(project)
}
