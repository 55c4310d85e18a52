//! Migrates a SQLite file. It is the operator's SQL, so it may do what an app may not.

use crate::sql::migrations::files::Migration;
use crate::sql::migrations::{APPLIED, Applied, NOTE, TABLE, plan};
use rusqlite::Connection;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long it waits for others who write.
const BUSY: Duration = Duration::from_secs(60);

pub fn migrate(
    path: &Path,
    files: &[Migration],
    is_trial: bool,
    tell: &mut dyn FnMut(&Migration, Duration),
) -> Result<(), String> {
    let failed = |error: rusqlite::Error| format!("{}: {error}", path.display());
    let connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    if is_trial {
        let applied = applied(&connection).unwrap_or_default();
        plan::pending(&applied, files)?.into_iter().for_each(|file| tell(file, Duration::ZERO));
        return Ok(());
    }
    loop {
        let begun = Instant::now();
        // One at a time, under the lock of the database: another one may have applied the next file meanwhile.
        connection.execute_batch("begin immediate").map_err(failed)?;
        connection.execute_batch(TABLE).map_err(failed)?;
        let applied = applied(&connection).map_err(failed)?;
        let Some(&file) = plan::pending(&applied, files)?.first() else {
            return connection.execute_batch("commit").map_err(failed);
        };
        let wrong = |error: rusqlite::Error| format!("{}: {error}", file.name);
        connection.execute_batch(&file.text).map_err(wrong)?;
        if connection.is_autocommit() {
            return Err(format!(
                "{} has ended the transaction that it is applied in: leave out BEGIN, COMMIT and ROLLBACK",
                file.name
            ));
        }
        connection.execute(NOTE, (&file.name, &file.hash)).map_err(wrong)?;
        connection.execute_batch("commit").map_err(wrong)?;
        tell(file, begun.elapsed());
    }
}

fn applied(connection: &Connection) -> rusqlite::Result<Vec<Applied>> {
    let mut statement = connection.prepare(APPLIED)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: u64, text: &str) -> Migration {
        let name = format!("{number}.sql");
        Migration { number, name, text: text.to_owned(), hash: text.to_owned() }
    }

    #[test]
    fn each_file_is_applied_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let run = |files: &[Migration]| {
            let mut told = Vec::new();
            let outcome = migrate(&path, files, false, &mut |file, _| told.push(file.number));
            (outcome, told)
        };
        let mut files = vec![file(1, "create table a (x); insert into a values (1)")];
        assert_eq!(run(&files), (Ok(()), vec![1]));
        files.push(file(2, "insert into a values (2); insert into nowhere values (3)"));
        let (outcome, told) = run(&files);
        assert!(outcome.unwrap_err().contains("2.sql: no such table: nowhere"));
        assert_eq!(told, [0; 0]);
        files[1] = file(2, "insert into a values (2)");
        files.push(file(3, "commit"));
        let (outcome, told) = run(&files);
        assert!(outcome.unwrap_err().contains("leave out BEGIN"));
        assert_eq!(told, [2]);
        let count: i64 = Connection::open(&path)
            .unwrap()
            .query_row("select count(*) from a", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 2);
    }
}
