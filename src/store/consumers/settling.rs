//! What becomes of events that were handed out, and of the consumers themselves.

use super::{Consumer, DeadLetter, Reader, dead_letters, move_to};
use crate::store::{
    Page, Statement, Store, StoreError,
    log::{self, Place},
};

/// A consumer and what waits of it.
const CONSUMER: &str = "SELECT id, name, filter, txid, position, created_at,
         (SELECT COUNT(*) FROM consumer_items
             WHERE consumer_id = consumers.id AND due_at IS NOT NULL) AS unacknowledged,
         (SELECT COUNT(*) FROM consumer_items
             WHERE consumer_id = consumers.id AND dead_at IS NOT NULL) AS dead_letters
     FROM consumers WHERE project_id = $1";

impl Store {
    /// Acknowledges deliveries; returns those that were still held. The others were handed out
    /// again, settled before, or never a delivery of this project.
    pub async fn ack(
        &self,
        project: &str,
        deliveries: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let statement =
            Statement::new("DELETE FROM consumer_items WHERE project_id = $1 AND delivery IN");
        let statement = statement.bind(project).list(deliveries).then(" RETURNING delivery");
        self.tokens(statement).await
    }

    /// Gives deliveries back, to be handed out again after `delay` seconds; returns those that
    /// were still held.
    pub async fn nack(
        &self,
        project: &str,
        deliveries: &[String],
        delay: u32,
    ) -> Result<Vec<String>, StoreError> {
        // The former token is told back, and must fit no more.
        let statement = Statement::new("UPDATE consumer_items SET delivery = '-' || delivery, ")
            .then("due_at = $2 + ")
            .then(self.write().now())
            .then(" WHERE project_id = $1 AND delivery IN")
            .bind(project)
            .bind(i64::from(delay) * 1_000_000)
            .list(deliveries)
            .then(" RETURNING substr(delivery, 2)");
        self.tokens(statement).await
    }

    /// Makes deliveries last `seconds` from now; returns those that were still held.
    pub async fn extend(
        &self,
        project: &str,
        deliveries: &[String],
        seconds: u32,
    ) -> Result<Vec<String>, StoreError> {
        let statement = Statement::new("UPDATE consumer_items SET due_at = $2 + ")
            .then(self.write().now())
            .then(" WHERE project_id = $1 AND delivery IN")
            .bind(project)
            .bind(i64::from(seconds) * 1_000_000)
            .list(deliveries)
            .then(" RETURNING delivery");
        self.tokens(statement).await
    }

    async fn tokens(&self, statement: Statement) -> Result<Vec<String>, StoreError> {
        let tokens: Vec<(String,)> = self.write().rows(statement).await?;
        Ok(tokens.into_iter().map(|(token,)| token).collect())
    }

    /// The consumers of a project, by name.
    pub async fn list_consumers(&self, project: &str) -> Result<Vec<Consumer>, StoreError> {
        self.read().rows(Statement::new(CONSUMER).then(" ORDER BY name").bind(project)).await
    }

    /// One consumer of a project.
    pub async fn consumer(
        &self,
        project: &str,
        name: &str,
    ) -> Result<Option<Consumer>, StoreError> {
        let statement = Statement::new(CONSUMER).bind(project).and("name = $", Some(name));
        self.read().row(statement).await
    }

    /// Deletes a consumer with all it had not acknowledged; returns whether it was there.
    pub async fn delete_consumer(&self, project: &str, name: &str) -> Result<bool, StoreError> {
        let statement = Statement::new("DELETE FROM consumers WHERE project_id = $1 AND name = $2");
        Ok(self.write().run(statement.bind(project).bind(name)).await? > 0)
    }

    /// Moves a consumer to a place; what it has not acknowledged is forgotten, its dead letters are
    /// kept. Returns whether there is such a place, and none without such a consumer.
    pub async fn seek(
        &self,
        project: &str,
        name: &str,
        place: &Place,
    ) -> Result<Option<bool>, StoreError> {
        let mut transaction = self.write().begin().await?;
        let Some(Reader { id, .. }) = self.lock(&mut transaction, project, name).await? else {
            return Ok(None);
        };
        let horizon = self.write().horizon();
        let Some(position) = log::find(&mut transaction, project, place, horizon).await? else {
            return Ok(Some(false));
        };
        move_to(&mut transaction, &id, position).await?;
        let forget =
            Statement::new("DELETE FROM consumer_items WHERE consumer_id = $1 AND dead_at IS NULL");
        transaction.run(forget.bind(&id)).await?;
        transaction.commit().await?;
        Ok(Some(true))
    }

    /// A consumer's dead letters.
    pub async fn list_dead_letters(
        &self,
        project: &str,
        consumer: &Consumer,
        page: &Page,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.read().rows(dead_letters(project, &consumer.id, page)).await
    }

    /// Hands a consumer's dead letters out again, all or those of these events, as if for the
    /// first time; returns how many.
    pub async fn redrive(
        &self,
        consumer: &Consumer,
        events: Option<&[String]>,
    ) -> Result<u64, StoreError> {
        let statement =
            Statement::new("UPDATE consumer_items SET dead_at = NULL, attempts = 0, due_at = ")
                .then(self.write().now())
                .then(" WHERE consumer_id = $1 AND dead_at IS NOT NULL")
                .bind(&consumer.id);
        let statement = match events {
            Some(events) => statement.then(" AND event_id IN").list(events),
            None => statement,
        };
        self.write().run(statement).await
    }
}
