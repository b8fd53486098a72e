//! With large tables, no list and no upkeep reads a table from end to end.

use crate::fixture::Fixture;

/// Fifty projects with eight triggers each, all with events and receipts, in one SQL text for
/// both databases.
const FILL: &str = "
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
    INSERT INTO projects SELECT 'p' || i, 'p' || i, 30, 0 FROM n;

    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
    INSERT INTO triggers (id, project_id, app, name, event_type, description, description_folded,
        webhook_url, config, filter, state, status, definition_version, renew_at, look_at,
        created_at, updated_at)
    SELECT 't' || i, 'p' || (i % 50), 'a' || (i % 4), 'A__B', 'a.b', '', '', '', '{}', '{}', 'null',
        CASE WHEN i % 100 = 0 THEN 'registering' WHEN i % 3 = 0 THEN 's1' ELSE 'active' END, 'v',
        CASE WHEN i % 10 = 1 THEN i END, CASE WHEN i % 10 = 2 THEN i END, i, i
    FROM n WHERE i % 50 > 0;

    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
    INSERT INTO events (id, project_id, trigger_id, app, event_type, external_event_id, data,
        status, receipt_id, definition_version, received_at, expires_at, txid, position)
    SELECT 'e' || i, 'p' || (i % 50), 't' || (i % 400), 'a' || (i % 4), 'a.b', 'x' || i, '{}',
        's' || (i % 5), 'r' || i, 'v', i, i, i, 1
    FROM n;

    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
    INSERT INTO receipts (id, project_id, trigger_id, app, method, headers, body_size, outcome,
        detail, answered, received_at)
    SELECT 'r' || i, 'p' || (i % 50), 't' || (i % 400), 'a', 'POST', '[]', 0, 'o' || (i % 5), '{}',
        202, i
    FROM n;

    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
    INSERT INTO notices (id, project_id, trigger_id, attempts, next_at, created_at)
    SELECT 'n' || i, 'p' || (i % 50), 't' || (i % 400), 0, i, i
    FROM n;

    INSERT INTO consumers SELECT 'c' || id, id, 'c', '{}', 0, 0, 0 FROM projects;

    INSERT INTO consumer_items
    SELECT 'c' || project_id, id, project_id, NULL, 1,
        CASE WHEN txid % 2 = 0 THEN txid END, CASE WHEN txid % 200 = 1 THEN txid END
    FROM events WHERE project_id <> 'p0';

    ANALYZE;
";

pub(crate) async fn large_tables_are_not_scanned(fixture: &Fixture) {
    fixture.execute(FILL).await;
    let plans = fixture.store.plans().await.unwrap();
    assert!(plans.len() > 10);
    for plan in plans {
        let text = plan.steps.join("\n");
        assert!(text.contains("INDEX") || text.contains("Index"), "{}:\n{text}", plan.query);
        let whole = |step: &String| {
            ["events", "receipts", "triggers", "notices", "consumer_items"].into_iter().any(
                |table| {
                    step.contains(&format!("Seq Scan on {table}"))
                        || step.starts_with(&format!("SCAN {table}"))
                },
            )
        };
        assert!(!plan.steps.iter().any(whole), "{} reads a whole table:\n{text}", plan.query);
    }
}
