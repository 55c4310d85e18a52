//! A store in a SQLite file: one table of keys and values.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::kv::command::{Command, Condition, Outcome, end, now};
use crate::sql::problem::{Kind, SqlProblem};
use crate::sql::sqlite::file;
use rusqlite::{Connection, OptionalExtension, ToSql};
use std::path::Path;
use std::time::Duration;

/// Most bytes of the result of one command.
const MOST_RESULT: usize = 8 * 1024 * 1024;
/// What has expired is removed so many at a time: some milliseconds.
const MOST_EXPIRED: i64 = 2000;

const SCHEMA: &str = "create table if not exists kv \
    (key blob primary key, value blob not null, expires integer) without rowid; \
    create index if not exists kv_expires on kv (expires) where expires is not null";
const GET: &str = "select value from kv where key = ?1 and (expires is null or expires > ?2)";
const SET: &str = "insert into kv (key, value, expires) values (?1, ?2, ?3) \
    on conflict (key) do update set value = excluded.value, expires = excluded.expires";

/// A connection.
pub struct Table(Connection);

impl Table {
    pub fn open(path: &Path, most_bytes: u64, is_reader: bool) -> Result<Self, SqlProblem> {
        // A worker does not wait.
        let busy = if is_reader { Duration::ZERO } else { file::BUSY };
        let connection = file::open(path, most_bytes, busy)?;
        if !is_reader {
            connection.execute_batch(SCHEMA)?;
        }
        Ok(Self(connection))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, SqlProblem> {
        let mut statement = self.0.prepare_cached(GET)?;
        Ok(statement.query_row((key.as_bytes(), now()), |row| row.get(0)).optional()?)
    }

    /// Run commands in one transaction: all are there, or none.
    pub fn run(&self, commands: &[&Command]) -> Result<Vec<Result<Outcome, SqlProblem>>, SqlProblem> {
        self.0.execute_batch("begin immediate")?;
        let mut outcomes = Vec::with_capacity(commands.len());
        for command in commands {
            let outcome = self.one(command);
            if let Err(problem) = &outcome
                && problem.kind != Kind::Data
            {
                // The statement may have done a part of it.
                self.roll_back();
                return Err(full(problem.clone()));
            }
            outcomes.push(outcome);
        }
        self.0.execute_batch("commit").map_err(|error| {
            self.roll_back();
            full(error.into())
        })?;
        Ok(outcomes)
    }

    fn roll_back(&self) {
        // SQLite may have done so itself, as when the file is full.
        if !self.0.is_autocommit() {
            let _ = self.0.execute_batch("rollback");
        }
    }

    /// Remove some of what has expired. Returns how many.
    pub fn tidy(&self) -> Result<usize, SqlProblem> {
        let old = "delete from kv where key in (select key from kv where expires <= ?1 limit ?2)";
        self.execute(old, &[&now(), &MOST_EXPIRED])
    }

    fn execute(&self, text: &str, arguments: &[&dyn ToSql]) -> Result<usize, SqlProblem> {
        Ok(self.0.prepare_cached(text)?.execute(arguments)?)
    }

    fn set(&self, key: &str, value: &[u8], expires: Option<i64>) -> Result<(), SqlProblem> {
        self.execute(SET, &[&key.as_bytes(), &value, &expires]).map(|_| ())
    }

    /// A problem with the data leaves everything as it was.
    fn one(&self, command: &Command) -> Result<Outcome, SqlProblem> {
        Ok(match command {
            Command::Get(keys) => {
                let (mut values, mut size) = (Vec::with_capacity(keys.len()), 0);
                for key in keys {
                    let value = self.get(key)?;
                    size += value.as_ref().map_or(0, Vec::len);
                    if size > MOST_RESULT {
                        let told = format!("the values have more than {} MiB together", MOST_RESULT >> 20);
                        return Err(SqlProblem::new(Kind::Data, told));
                    }
                    values.push(value);
                }
                Outcome::Values(values)
            }
            Command::Set { key, value, lasts, condition } => {
                let holds = match condition {
                    Condition::Always => true,
                    Condition::Absent => self.get(key)?.is_none(),
                    Condition::Present => self.get(key)?.is_some(),
                    Condition::Equal(expected) => self.get(key)? == *expected,
                };
                if holds {
                    self.set(key, value, end(*lasts))?;
                }
                Outcome::Done(holds)
            }
            Command::Put { pairs, lasts } => {
                let expires = end(*lasts);
                pairs.iter().try_for_each(|(key, value)| self.set(key, value, expires))?;
                Outcome::Nothing
            }
            Command::Incr { key, by, lasts } => self.incr(key, *by, *lasts)?,
            Command::Delete(keys) => {
                let mut count = 0;
                for key in keys {
                    let expired = self.get(key)?.is_none();
                    let gone = self.execute("delete from kv where key = ?1", &[&key.as_bytes()])?;
                    count += i64::from(gone > 0 && !expired);
                }
                Outcome::Number(count)
            }
            Command::Expire { key, lasts } => {
                let text = "update kv set expires = ?3 where key = ?1 and (expires is null or expires > ?2)";
                Outcome::Done(self.execute(text, &[&key.as_bytes(), &now(), &end(*lasts)])? > 0)
            }
            Command::Scan { prefix, after, most, values } => {
                self.scan(prefix, after.as_deref(), *most, *values)?
            }
        })
    }

    fn incr(&self, key: &str, by: i64, lasts: Option<Duration>) -> Result<Outcome, SqlProblem> {
        let wrong = |why| SqlProblem::new(Kind::Data, why);
        let Some(value) = self.get(key)? else {
            self.set(key, by.to_string().as_bytes(), end(lasts))?;
            return Ok(Outcome::Number(by));
        };
        let old = std::str::from_utf8(&value).ok().and_then(|text| text.parse::<i64>().ok());
        let old = old.ok_or_else(|| wrong("the value is no integer of 64 bits"))?;
        let new = old.checked_add(by).ok_or_else(|| wrong("the sum has more than 64 bits"))?;
        let text = "update kv set value = ?2 where key = ?1";
        self.execute(text, &[&key.as_bytes(), &new.to_string().as_bytes()])?;
        Ok(Outcome::Number(new))
    }

    fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        most: usize,
        values: bool,
    ) -> Result<Outcome, SqlProblem> {
        let text = "select key, value from kv where key >= ?1 and key > ?2 \
            and (expires is null or expires > ?3) order by key";
        let mut statement = self.0.prepare_cached(text)?;
        let mut rows = statement.query((prefix.as_bytes(), after.unwrap_or_default().as_bytes(), now()))?;
        let (mut keys, mut pairs, mut size) = (Vec::new(), Vec::new(), 0);
        while keys.len().max(pairs.len()) < most && size < MOST_RESULT {
            let Some(row) = rows.next()? else { break };
            let key = row.get_ref(0)?.as_bytes().unwrap_or_default();
            if !key.starts_with(prefix.as_bytes()) {
                break;
            }
            let key = String::from_utf8_lossy(key).into_owned();
            if values {
                let value: Vec<u8> = row.get(1)?;
                size += key.len() + value.len();
                pairs.push((key, value));
            } else {
                keys.push(key);
            }
        }
        Ok(if values { Outcome::Pairs(pairs) } else { Outcome::Keys(keys) })
    }
}

/// What SQLite says of a file that may not grow.
fn full(problem: SqlProblem) -> SqlProblem {
    if problem.code.as_deref() == Some("13") {
        let limit = limit_name::of(Limit::KvSize);
        return SqlProblem::new(Kind::Limit, format!("the store is full ({limit})"));
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> String {
        name.to_owned()
    }

    fn set(name: &str, value: &[u8], lasts: Option<u64>, condition: Condition) -> Command {
        let lasts = lasts.map(Duration::from_millis);
        Command::Set { key: key(name), value: value.to_vec(), lasts, condition }
    }

    #[test]
    fn commands_do_what_they_say() {
        let folder = tempfile::tempdir().unwrap();
        let table = Table::open(&folder.path().join("app.kv"), 1 << 20, false).unwrap();
        let run = |command: Command| table.run(&[&command]).unwrap().remove(0);
        let done = |done| Ok(Outcome::Done(done));
        assert_eq!(run(set("a", b"1", None, Condition::Always)), done(true));
        assert_eq!(run(set("a", b"2", None, Condition::Absent)), done(false));
        assert_eq!(run(set("b", b"2", None, Condition::Present)), done(false));
        assert_eq!(run(set("a", b"2", None, Condition::Equal(Some(b"1".to_vec())))), done(true));
        assert_eq!(run(set("c", b"x", None, Condition::Equal(None))), done(true));
        assert_eq!(run(set("short", b"x", Some(1), Condition::Always)), done(true));
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(table.get("short").unwrap(), None);
        assert_eq!(run(Command::Incr { key: key("a"), by: 40, lasts: None }), Ok(Outcome::Number(42)));
        assert_eq!(run(Command::Incr { key: key("n"), by: -1, lasts: None }), Ok(Outcome::Number(-1)));
        assert!(
            run(Command::Incr { key: key("c"), by: 1, lasts: None })
                .unwrap_err()
                .message
                .contains("no integer")
        );
        let scan = |prefix: &str, after: Option<&str>, values| {
            run(Command::Scan { prefix: key(prefix), after: after.map(key), most: 2, values }).unwrap()
        };
        assert_eq!(scan("", None, false), Outcome::Keys(vec![key("a"), key("c")]));
        assert_eq!(scan("", Some("c"), false), Outcome::Keys(vec![key("n")]));
        assert_eq!(scan("a", None, true), Outcome::Pairs(vec![(key("a"), b"42".to_vec())]));
        assert_eq!(run(Command::Expire { key: key("a"), lasts: Some(Duration::from_millis(1)) }), done(true));
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(run(Command::Delete(vec![key("a"), key("c"), key("z")])), Ok(Outcome::Number(1)));
        table.tidy().unwrap();
        let left: i64 = table.0.query_row("select count(*) from kv", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 1);
    }

    #[test]
    fn a_full_store_says_so_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let table = Table::open(&folder.path().join("app.kv"), 200_000, false).unwrap();
        let large = vec![0; 50_000];
        let sets: Vec<_> = (0..9).map(|n| set(&n.to_string(), &large, None, Condition::Always)).collect();
        let all: Vec<_> = sets.iter().collect();
        let problem = table.run(&all).unwrap_err();
        assert!(problem.message.contains("the store is full"), "{problem:?}");
        assert_eq!(table.get("0").unwrap(), None);
        assert!(table.run(&all[..1]).is_ok());
    }
}
