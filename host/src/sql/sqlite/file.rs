//! Opens a SQLite file of the host, with the settings that all of them have: databases of apps and their stores.

use crate::sql::problem::SqlProblem;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long a connection waits for another process that writes.
pub const BUSY: Duration = Duration::from_secs(5);
/// Pages that a connection keeps in memory, in KiB.
const CACHE: i64 = 2048;
/// What is left of the log after a checkpoint, in bytes.
const LOG: i64 = 16 * 1024 * 1024;

/// Open a file with at most so many bytes. `busy`: how long to wait for others who write.
pub fn open(path: &Path, most_bytes: u64, busy: Duration) -> Result<Connection, SqlProblem> {
    // No app may write to the folder (`config/databases`); whoever else may could make a link to another file there.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -CACHE)?;
    connection.pragma_update(None, "journal_size_limit", LOG)?;
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = most_bytes / u64::try_from(page).unwrap_or(4096).max(512);
    connection.pragma_update(None, "max_page_count", i64::try_from(pages).unwrap_or(i64::MAX).max(1))?;
    Ok(connection)
}
