//! The databases of one app, over all workers and versions.

use crate::config::databases::{self, Place};
use crate::config::limit_name;
use crate::config::{AppConfig, DatabaseGrant};
use crate::sql::database::{Database, Terms};
#[cfg(feature = "postgres")]
use crate::sql::postgres;
use crate::sql::problem::{Kind, SqlProblem};
use crate::sql::sqlite::lanes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a statement may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub deadline: Duration,
    pub rows: u64,
    /// Of the result.
    pub bytes: usize,
}

pub struct Databases {
    granted: Vec<Granted>,
    bounds: Bounds,
}

struct Granted {
    grant: DatabaseGrant,
    /// None if the app may not use it, which the log has said.
    database: Option<Arc<Database>>,
    /// The log has said that nobody named it.
    is_told: AtomicBool,
}

impl Databases {
    pub fn new(app: &str, config: &AppConfig) -> Self {
        let app: Arc<str> = app.into();
        let granted = config.databases.iter().map(|grant| {
            let made = terms(grant, config);
            if let Err(why) = &made {
                tracing::error!(app = &*app, "{why}");
            }
            let database = made.ok().map(|terms| Database::new(app.clone(), grant.name.clone(), terms));
            Granted { grant: grant.clone(), database, is_told: AtomicBool::new(false) }
        });
        let granted = granted.collect();
        let limits = &config.limits;
        let (rows, bytes) = (limits.sql_rows as u64, limits.sql_result);
        Self { granted, bounds: Bounds { deadline: limits.deadline, rows, bytes } }
    }

    /// Whether these are databases of the same app, with the same grants and limits.
    pub fn are_like(&self, other: &Self) -> bool {
        let terms = |all: &Self| -> Vec<_> {
            let of = |one: &Granted| one.database.as_ref().map(|database| database.terms().clone());
            all.granted.iter().map(|one| (one.grant.clone(), of(one))).collect()
        };
        self.bounds == other.bounds && terms(self) == terms(other)
    }

    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// A database by the name that the app knows.
    pub fn get(&self, name: &str) -> Result<&Arc<Database>, SqlProblem> {
        let Some(found) = self.granted.iter().find(|one| one.grant.name == name) else {
            let shown: String = name.chars().take(64).collect();
            let flag = limit_name::pick("--sql NAME=sqlite:FILE", "[app.NAME.sql]", "AppConfig::databases");
            let told = format!("this app has no database {shown:?}: it is granted with {flag}");
            return Err(SqlProblem::new(Kind::Denied, told));
        };
        let Some(database) = &found.database else {
            return Err(SqlProblem::new(Kind::Denied, format!("this app may not use the database {name:?}")));
        };
        if let (true, Place::Sqlite(file)) = (found.grant.is_default, &found.grant.place)
            && !found.is_told.swap(true, Ordering::Relaxed)
        {
            let file = file.display();
            tracing::warn!(
                "no database was granted, so main is {file} (--sql main=sqlite:FILE, or DATABASE_URL)"
            );
        }
        Ok(database)
    }
}

/// Check what only the client of a kind of database can read. The error is a sentence.
#[cfg(feature = "cli")]
pub fn check_urls(grants: &[DatabaseGrant]) -> Result<(), String> {
    grants.iter().try_for_each(|grant| match &grant.place {
        Place::Sqlite(_) => Ok(()),
        #[cfg(feature = "postgres")]
        Place::Postgres(url) => {
            let made = postgres::Terms::new(url, 1, Duration::ZERO);
            made.map(|_| ()).map_err(|why| format!("the database {}: {why}", grant.name))
        }
        #[cfg(not(feature = "postgres"))]
        Place::Postgres(_) => {
            Err(format!("the database {}: this program was built without Postgres", grant.name))
        }
    })
}

/// The error is a sentence for the operator.
fn terms(grant: &DatabaseGrant, config: &AppConfig) -> Result<Terms, String> {
    let limits = &config.limits;
    match &grant.place {
        Place::Sqlite(file) => {
            // Whoever embeds the host has not checked it before.
            databases::apart(std::slice::from_ref(grant), config.preopens.places_to_write())?;
            Ok(Terms::Sqlite(lanes::Terms {
                path: databases::resolved(file),
                readers: limits.sql_readers,
                most_bytes: limits.sql_size as u64,
            }))
        }
        #[cfg(feature = "postgres")]
        Place::Postgres(url) => {
            let made = postgres::Terms::new(url, limits.sql_connections, limits.deadline);
            Ok(Terms::Postgres(Box::new(made.map_err(|why| format!("the database {}: {why}", grant.name))?)))
        }
        #[cfg(not(feature = "postgres"))]
        Place::Postgres(_) => {
            Err(format!("the database {}: this program was built without Postgres", grant.name))
        }
    }
}
