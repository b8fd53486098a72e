//! How the database would run the statements that must stay fast when tables are large.

use super::{
    EventFilter, Page, Position, ReceiptFilter, Statement, Store, StoreError, TriggerFilter,
    consumers, events, log, notices, receipts, record::select_owners, stats, triggers, upkeep,
};

/// The database's plan for one statement.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the statement is for.
    pub query: &'static str,
    /// The database's own description of what it would do.
    pub steps: Vec<String>,
}

impl Store {
    /// The plans of every list and upkeep statement, as the database would run them now.
    pub async fn plans(&self) -> Result<Vec<Plan>, StoreError> {
        let mut plans = Vec::new();
        for (query, statement) in statements() {
            plans.push(Plan { query, steps: self.plan(statement).await? });
        }
        Ok(plans)
    }

    async fn plan(&self, statement: Statement) -> Result<Vec<String>, StoreError> {
        let explained =
            Statement { sql: self.read().explain().to_owned() + &statement.sql, ..statement };
        let steps = self.read().rows::<Step>(explained).await?;
        Ok(steps.into_iter().map(|step| step.0).collect())
    }
}

fn statements() -> Vec<(&'static str, Statement)> {
    let page = Page { after: Some("zzz".to_owned()), limit: 50 };
    let some = |text: &str| Some(text.to_owned());
    let events = |filter: EventFilter| events::list("p1", &filter, &page);
    let triggers = |filter: TriggerFilter| triggers::list("p1", &filter, &page);
    let receipts = |filter: ReceiptFilter| receipts::list("p1", &filter, &page);
    let trigger = || some("t1");
    vec![
        ("triggers of a project", triggers(TriggerFilter::default())),
        (
            "triggers by status and app",
            triggers(TriggerFilter { status: some("s1"), app: some("a1"), ..Default::default() }),
        ),
        ("events of a project", events(EventFilter::default())),
        ("events by status", events(EventFilter { status: some("s1"), ..Default::default() })),
        ("events of a trigger", events(EventFilter { trigger: trigger(), ..Default::default() })),
        (
            "events of a trigger by status and time",
            events(EventFilter {
                trigger: trigger(),
                status: some("s1"),
                from: Some(1),
                to: Some(2),
                ..Default::default()
            }),
        ),
        ("receipts of a project", receipts(ReceiptFilter::default())),
        (
            "receipts of a trigger",
            receipts(ReceiptFilter { trigger: trigger(), ..Default::default() }),
        ),
        (
            "receipts at a shared URL",
            receipts::list_at_door("p1", &ReceiptFilter::default(), &page),
        ),
        ("events after a position", log::after("p1", Position::new(20_000, 1), "30000", 500)),
        ("items of a consumer", consumers::due_items("cp1", 1, 10)),
        ("dead letters of a consumer", consumers::dead_letters("p1", "cp1", &page)),
        ("triggers behind a shared URL", triggers::behind("p1", "a1")),
        ("triggers that share a subscription", triggers::sharing("p1", "k1")),
        ("events already there", select_owners(&[("t1", "e1"), ("t2", "e2")])),
        ("event counts", stats::by_status("p1", None, i64::MAX)),
        ("receipt counts", stats::by_outcome("p1", None, i64::MAX)),
        ("due renewals", upkeep::due_renewals(1, 50)),
        ("due looks", notices::due_looks(1, 50)),
        ("due notices", notices::due_notices(1, 50)),
        ("notices of a trigger", notices::notices_of("t1", 1, 50)),
        ("abandoned registrations", upkeep::abandoned_registrations(1, 50)),
        ("expired events", upkeep::delete_expired_events(1, 50)),
        ("old receipts", upkeep::delete_old_receipts(1, 50)),
    ]
}

/// One line of a plan; it is the last column on both databases.
struct Step(String);

impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for Step
where
    usize: sqlx::ColumnIndex<R>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        row.try_get(row.columns().len() - 1).map(Self)
    }
}
