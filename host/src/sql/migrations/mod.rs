//! Numbered files of SQL that change a database, each once.

pub mod files;
mod plan;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use crate::config::DatabaseGrant;
use crate::config::databases::Place;
use crate::sql::migrations::files::Migration;
use std::time::Duration;

/// Name and hash of a file that was applied.
type Applied = (String, String);

/// Where it is kept what was applied.
const TABLE: &str = "create table if not exists bolt_migrations \
    (name text primary key, hash text not null, applied_at text not null default current_timestamp)";
const APPLIED: &str = "select name, hash from bolt_migrations order by name";
const NOTE: &str = "insert into bolt_migrations (name, hash) values ($1, $2)";

/// Apply the files that were not, in order, and tell of each when it is in the database. `is_trial`: apply none. Whoever migrates
/// the same database at the same time waits. The error is a sentence; what came before it stays.
pub fn migrate(
    grant: &DatabaseGrant,
    files: &[Migration],
    is_trial: bool,
    tell: &mut dyn FnMut(&Migration, Duration),
) -> Result<(), String> {
    match &grant.place {
        Place::Sqlite(file) => sqlite::migrate(file, files, is_trial, tell),
        #[cfg(feature = "postgres")]
        Place::Postgres(url) => postgres::migrate(url, files, is_trial, tell),
        #[cfg(not(feature = "postgres"))]
        Place::Postgres(_) => Err("this program was built without Postgres".to_owned()),
    }
}
