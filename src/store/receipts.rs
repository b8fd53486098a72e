//! Receipts: what became of every inbound request. They come in through [`Store::record`].

use super::{Page, Statement, Store, StoreError, model::Receipt};

const COLUMNS: &str = "id, project_id, trigger_id, app, method, headers, body, body_size, \
    outcome, reason, detail, answered, definition_version, received_at, provider_app_id";

/// Which receipts to list; every condition given must hold.
#[derive(Debug, Clone, Default)]
pub struct ReceiptFilter {
    /// Trigger's id.
    pub trigger: Option<String>,
    /// Outcome.
    pub outcome: Option<String>,
}

impl Store {
    /// One receipt of a project, with the body where it was kept.
    pub async fn receipt(&self, project: &str, id: &str) -> Result<Option<Receipt>, StoreError> {
        let statement = Statement::new("SELECT ").then(COLUMNS).then(" FROM receipts");
        let statement = statement.then(" WHERE project_id = $1 AND id = $2");
        self.read().row(statement.bind(project).bind(id)).await
    }

    /// One receipt of a request at a shared URL, which belongs to no project: for operators only.
    pub async fn door_receipt(&self, id: &str) -> Result<Option<Receipt>, StoreError> {
        let statement = Statement::new("SELECT ").then(COLUMNS).then(" FROM receipts");
        let statement =
            statement.then(" WHERE project_id IS NULL AND provider_app_id IS NOT NULL AND id = $1");
        self.read().row(statement.bind(id)).await
    }

    /// The receipts of requests at a provider app's shared URL, without their bodies: for
    /// operators only.
    pub async fn list_door_receipts(
        &self,
        provider_app: &str,
        filter: &ReceiptFilter,
        page: &Page,
    ) -> Result<Vec<Receipt>, StoreError> {
        self.read().rows(list_at_door(provider_app, filter, page)).await
    }

    /// The receipts of a project, without their bodies.
    pub async fn list_receipts(
        &self,
        project: &str,
        filter: &ReceiptFilter,
        page: &Page,
    ) -> Result<Vec<Receipt>, StoreError> {
        self.read().rows(list(project, filter, page)).await
    }
}

pub(super) fn list_at_door(provider_app: &str, filter: &ReceiptFilter, page: &Page) -> Statement {
    part(" WHERE project_id IS NULL AND provider_app_id = $1", provider_app, filter, page)
}

pub(super) fn list(project: &str, filter: &ReceiptFilter, page: &Page) -> Statement {
    part(" WHERE project_id = $1", project, filter, page)
}

fn part(condition: &'static str, owner: &str, filter: &ReceiptFilter, page: &Page) -> Statement {
    // The same columns, and nothing in place of the body: a page of bodies could be gigabytes.
    Statement::new(
        "SELECT id, project_id, trigger_id, app, method, headers, NULL AS body, body_size, \
             outcome, reason, detail, answered, definition_version, received_at, provider_app_id \
         FROM receipts",
    )
    .then(condition)
    .bind(owner)
    .and("trigger_id = $", filter.trigger.as_deref())
    .and("outcome = $", filter.outcome.as_deref())
    .page(page)
}
