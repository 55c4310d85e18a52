//! Migrates a SQLite file. It is the operator's SQL, so it may do what an app may not.

use crate::sql::migrations::files::Migration;
use crate::sql::migrations::{APPLIED, Applied, NOTE, TABLE, plan};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, ErrorCode, OpenFlags};
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
    if is_trial {
        // It makes no file.
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let applied = connection.and_then(|connection| applied(&connection)).unwrap_or_default();
        plan::pending(&applied, files)?.into_iter().for_each(|file| tell(file, Duration::ZERO));
        return Ok(());
    }
    let mut connection = Connection::open(path).map_err(|error| match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            format!("{}: there is no folder {}", path.display(), folder.display())
        }
        _ => failed(error),
    })?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
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
        connection.authorizer(Some(within_a_transaction)).map_err(failed)?;
        let ran = connection.execute_batch(&file.text);
        connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).map_err(failed)?;
        ran.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::AuthorizationForStatementDenied) => format!(
                "{} would begin or end a transaction, and is applied in one, which is undone now: leave out BEGIN, COMMIT \
                 and ROLLBACK",
                file.name
            ),
            _ => wrong(error),
        })?;
        connection.execute(NOTE, (&file.name, &file.hash)).map_err(wrong)?;
        connection.execute_batch("commit").map_err(wrong)?;
        tell(file, begun.elapsed());
    }
}

/// A file that ends its transaction would be applied in part.
fn within_a_transaction(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Transaction { .. } => Authorization::Deny,
        _ => Authorization::Allow,
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
        files.push(file(3, "create table b (x); commit; create table c (x)"));
        let (outcome, told) = run(&files);
        assert!(outcome.unwrap_err().contains("leave out BEGIN"));
        assert_eq!(told, [2]);
        let count: i64 = Connection::open(&path)
            .unwrap()
            .query_row("select count(*) from a", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 2);
        // Nothing of the third file is there.
        files[2] = file(3, "create table b (x); create table c (x)");
        assert_eq!(run(&files), (Ok(()), vec![3]));
        let trial = folder.path().join("trial.db");
        let mut told = 0;
        assert_eq!(migrate(&trial, &files, true, &mut |_, _| told += 1), Ok(()));
        assert_eq!((told, trial.exists()), (3, false));
    }
}
