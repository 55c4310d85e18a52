//! The databases of one app, over all workers and versions.

use crate::config::databases;
use crate::config::limit_name;
use crate::config::{AppConfig, DatabaseGrant};
use crate::sql::database::{Database, Terms};
use crate::sql::problem::{Kind, SqlProblem};
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
    database: Arc<Database>,
    /// The log has said that nobody named it, or that the app may not use it.
    is_told: AtomicBool,
    /// Why the app may not use it.
    refused: Option<String>,
}

impl Databases {
    pub fn new(app: &str, config: &AppConfig) -> Self {
        let limits = &config.limits;
        let granted = config.databases.iter().map(|grant| {
            let terms = Terms {
                path: resolved(grant),
                readers: limits.sql_readers,
                most_bytes: limits.sql_size as u64,
            };
            let database = Database::new((app.into(), grant.name.clone()), terms);
            // Whoever embeds the host has not checked it before.
            let refused =
                databases::apart(std::slice::from_ref(grant), config.preopens.places_to_write()).err();
            Granted { grant: grant.clone(), database, is_told: AtomicBool::new(false), refused }
        });
        let (rows, bytes) = (limits.sql_rows as u64, limits.sql_result);
        Self { granted: granted.collect(), bounds: Bounds { deadline: limits.deadline, rows, bytes } }
    }

    /// Whether these are databases of the same app, with the same grants and limits.
    pub fn are_like(&self, other: &Self) -> bool {
        let terms = |all: &Self| -> Vec<_> {
            all.granted.iter().map(|one| (one.grant.clone(), one.database.terms().clone())).collect()
        };
        self.bounds == other.bounds && terms(self) == terms(other)
    }

    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// A database by the name that the app knows.
    pub fn get(&self, name: &str) -> Result<&Arc<Database>, SqlProblem> {
        let Some(found) = self.granted.iter().find(|one| one.grant.name == name) else {
            let flag = limit_name::pick("--sql", "[app.NAME.sql]", "AppConfig::databases");
            let shown: String = name.chars().take(64).collect();
            let told = format!("this app has no database {shown:?} ({flag})");
            return Err(SqlProblem::new(Kind::Denied, told));
        };
        if let Some(why) = &found.refused {
            if !found.is_told.swap(true, Ordering::Relaxed) {
                tracing::error!("{why}");
            }
            return Err(SqlProblem::new(Kind::Denied, format!("this app may not use the database {name:?}")));
        }
        if found.grant.is_default && !found.is_told.swap(true, Ordering::Relaxed) {
            let file = found.grant.file.display();
            tracing::warn!(
                "no database was granted, so main is {file} (--sql main=sqlite:FILE, or DATABASE_URL)"
            );
        }
        Ok(&found.database)
    }
}

/// The file of a database, with the links to its folder, which the operator may have, followed now: the connection follows none.
fn resolved(grant: &DatabaseGrant) -> std::path::PathBuf {
    let whole = std::path::absolute(&grant.file).unwrap_or_else(|_| grant.file.clone());
    match (whole.parent().and_then(|folder| folder.canonicalize().ok()), whole.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => whole,
    }
}
