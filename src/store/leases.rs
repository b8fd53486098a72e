//! Leases: who may do what only one replica may do at a time. They run by the database's clock,
//! which is the same for all replicas.

use super::{Statement, Store, StoreError};

impl Store {
    /// Takes the lease `name` for `holder`, unless somebody has it; a holder may not take its own
    /// again. The fence that is returned is higher than that of every earlier holder.
    pub async fn acquire_lease(
        &self,
        name: &str,
        holder: &str,
        seconds: u32,
    ) -> Result<Option<i64>, StoreError> {
        let now = self.write().now();
        let statement = Statement::new(
            "INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, 1, $3 + ",
        )
        .then(now)
        .then(
            ") ON CONFLICT (name) DO UPDATE SET holder = excluded.holder,
                     fence = leases.fence + 1, until = excluded.until
                 WHERE leases.until <= ",
        )
        .then(now)
        .then(" RETURNING fence");
        let statement = statement.bind(name).bind(holder).bind(micros(seconds));
        let taken: Option<(i64,)> = self.write().row(statement).await?;
        Ok(taken.map(|(fence,)| fence))
    }

    /// Makes a lease last `seconds` from now; returns whether it is still held under this fence.
    pub async fn extend_lease(
        &self,
        name: &str,
        fence: i64,
        seconds: u32,
    ) -> Result<bool, StoreError> {
        let now = self.write().now();
        let statement = Statement::new("UPDATE leases SET until = $3 + ")
            .then(now)
            .then(" WHERE name = $1 AND fence = $2 AND until > ")
            .then(now);
        let statement = statement.bind(name).bind(fence).bind(micros(seconds));
        Ok(self.write().run(statement).await? > 0)
    }

    /// Gives a lease up, if it is still held under this fence. Its row stays, because the next
    /// fence must be higher.
    pub async fn release_lease(&self, name: &str, fence: i64) -> Result<(), StoreError> {
        let statement = Statement::new("UPDATE leases SET until = ")
            .then(self.write().now())
            .then(" WHERE name = $1 AND fence = $2");
        self.write().run(statement.bind(name).bind(fence)).await.map(drop)
    }

    /// Deletes leases that ended more than a day ago, whose holders are all gone.
    pub async fn delete_old_leases(&self) -> Result<u64, StoreError> {
        let statement = Statement::new("DELETE FROM leases WHERE until + 86400000000 < ");
        self.write().run(statement.then(self.write().now())).await
    }
}

fn micros(seconds: u32) -> i64 {
    i64::from(seconds) * 1_000_000
}
