//! Projects: the tenants. Managing them is for administrators, so nothing here is scoped.

use super::{RETENTION_DAYS, Statement, Store, StoreError, model::Project};
use crate::{clock, ids};

const COLUMNS: &str = "id, name, retention_days, created_at";

impl Store {
    /// Adds a project.
    ///
    /// # Errors
    /// `Conflict` when another has its name.
    pub async fn create_project(&self, project: &Project) -> Result<(), StoreError> {
        let added = self.write().run(insert(project)).await;
        let taken = || format!("there is already a project named {}", project.name);
        added.map(drop).map_err(|error| error.explained(&taken()))
    }

    /// All projects, oldest first.
    pub async fn list_projects(&self) -> Result<Vec<Project>, StoreError> {
        self.read().rows(select().then(" ORDER BY id")).await
    }

    /// The project with this id.
    pub async fn project(&self, id: &str) -> Result<Option<Project>, StoreError> {
        self.read().row(select().then(" WHERE id = $1").bind(id)).await
    }

    /// The project of this name, made now if there is none. Replicas that start at the same time
    /// get the same one.
    pub async fn ensure_default_project(&self, name: &str) -> Result<Project, StoreError> {
        let project = Project {
            id: ids::new(ids::PROJECT),
            name: name.to_owned(),
            retention_days: RETENTION_DAYS,
            created_at: clock::now(),
        };
        self.write().run(insert(&project).then(" ON CONFLICT (name) DO NOTHING")).await?;
        let found = self.write().row(select().then(" WHERE name = $1").bind(name)).await?;
        found.ok_or_else(|| StoreError::Unavailable(format!("the project {name} vanished")))
    }
}

fn select() -> Statement {
    Statement::new("SELECT ").then(COLUMNS).then(" FROM projects")
}

fn insert(project: &Project) -> Statement {
    Statement::new("INSERT INTO projects (").then(COLUMNS).then(") VALUES").tuples([[
        (&project.id).into(),
        (&project.name).into(),
        project.retention_days.into(),
        project.created_at.into(),
    ]])
}
