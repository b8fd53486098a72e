//! The migrations, built in. Both databases have a file of the same name for every step; naming
//! a step here without writing both does not compile.

use sqlx::{
    SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::StoreError;

/// The steps in order; each file is `NNNN_name.sql`.
macro_rules! steps {
    ($folder:literal: $($version:literal $name:literal),+) => {
        Migrator::with_migrations(vec![$(
            Migration::new(
                $version,
                $name.into(),
                MigrationType::Simple,
                include_str!(concat!("../../migrations/", $folder, "/", $name, ".sql")).into_sql_str(),
                false,
            )
        ),+])
    };
    ($folder:literal) => { steps!($folder: 1 "0001_initial", 2 "0002_provider_apps", 3 "0003_consumers") };
}

pub(super) fn sqlite() -> Migrator {
    steps!("sqlite")
}

pub(super) fn postgres() -> Migrator {
    steps!("postgres")
}

pub(super) fn failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Unavailable(format!(
            "it was migrated to step {version} by a newer version of this server; run that one"
        )),
        other => StoreError::Unavailable(format!("a migration failed: {other}")),
    }
}
