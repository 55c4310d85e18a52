//! What a statement of an app may do to SQLite: everything within its own database, and nothing that reaches further.

use crate::sql::job;
use crate::sql::problem::SqlProblem;
use crate::sql::sqlite::file;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use std::path::Path;

/// Largest text, blob or row, in bytes. Some functions take time that grows with its square, and cannot be interrupted: `instr`
/// took 22 s for 2.2 MB.
const MOST_VALUE: usize = 1024 * 1024;
/// Columns of a table or a result: a row may be in memory twice.
const MOST_COLUMNS: usize = 200;
/// Memory of SQLite, of all connections of the process, in bytes. Beyond that, statements fail.
const MOST_MEMORY: i64 = 512 * 1024 * 1024;
/// Statements that a connection keeps prepared.
const PREPARED: usize = 64;

/// What may be asked and set. Others change how the host's connection works, or show what lies outside of the database.
const PRAGMAS: [&str; 27] = [
    "application_id",
    "collation_list",
    "compile_options",
    "data_version",
    "defer_foreign_keys",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "legacy_alter_table",
    "module_list",
    "optimize",
    "page_count",
    "page_size",
    "pragma_list",
    "quick_check",
    "recursive_triggers",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// Open a database with at most so many bytes, with the settings that every connection has.
pub fn open(path: &Path, most_bytes: u64) -> Result<Connection, SqlProblem> {
    let mut connection = file::open(path, most_bytes, file::BUSY)?;
    connection.pragma_update(None, "hard_heap_limit", MOST_MEMORY)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Otherwise each value of `limit $1` has the statement prepared again, which took 14 % of a list.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Otherwise a misspelt column in quotes is a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, MOST_VALUE),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, job::MOST_TEXT),
        (Limit::SQLITE_LIMIT_COLUMN, MOST_COLUMNS),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 50),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
        (Limit::SQLITE_LIMIT_VDBE_OP, 1_000_000),
    ] {
        connection.set_limit(limit, i32::try_from(most).unwrap_or(i32::MAX))?;
    }
    connection.set_prepared_statement_cache_capacity(PREPARED);
    reset(&connection)?;
    connection.authorizer(Some(authorize))?;
    Ok(connection)
}

/// What an app may set for its own use of a connection is as it was.
pub fn reset(connection: &Connection) -> Result<(), SqlProblem> {
    for (name, value) in
        [("foreign_keys", true), ("recursive_triggers", false), ("legacy_alter_table", false)]
    {
        connection.pragma_update(None, name, value)?;
    }
    Ok(())
}

fn authorize(context: AuthContext<'_>) -> Authorization {
    let is_allowed = match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Unknown { .. } => false,
        // The next request would find them on the connection that writes, and miss them on others.
        AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. } => false,
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let name = pragma_name.to_ascii_lowercase();
            PRAGMAS.contains(&&*name) && (name != "page_size" || pragma_value.is_none())
        }
        AuthAction::Function { function_name } => {
            !matches!(&*function_name.to_ascii_lowercase(), "load_extension" | "fts3_tokenizer")
        }
        _ => true,
    };
    if is_allowed { Authorization::Allow } else { Authorization::Deny }
}
