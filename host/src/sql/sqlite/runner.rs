//! Runs statements on one connection.

use crate::sql::arguments::Value;
use crate::sql::batch::Batch;
use crate::sql::cell::Shown;
use crate::sql::job::{Job, Part};
use crate::sql::problem::{Kind, SqlProblem};
use crate::sql::sqlite::guard;
use crate::sql::sqlite::values::{self, cell};
use crate::sql::text;
use rusqlite::{Connection, Statement};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Instructions of SQLite between two looks at the clock: some 100 µs.
const LOOKS: i32 = 10_000;

/// A connection and the clock of its statement.
pub struct Runner {
    connection: Connection,
    /// It only reads.
    is_reader: bool,
    started: Instant,
    /// When the statement is interrupted, in milliseconds since `started`.
    end: Arc<AtomicU64>,
}

/// What became of a job.
pub enum Ran {
    Done,
    /// It writes, and this connection only reads.
    Writes(Job),
}

impl Runner {
    /// Open the database with at most so many bytes.
    pub fn open(path: &Path, most_bytes: u64, is_reader: bool) -> Result<Self, SqlProblem> {
        let mut connection = guard::open(path, most_bytes)?;
        let (started, end) = (Instant::now(), Arc::new(AtomicU64::new(u64::MAX)));
        let clock = end.clone();
        let is_over = move || elapsed(started, Instant::now()) > clock.load(Ordering::Relaxed);
        connection.progress_handler(LOOKS, Some(is_over))?;
        Ok(Self { connection, is_reader, started, end })
    }

    /// Run a statement and send what it gives.
    pub fn run(&self, job: Job) -> Ran {
        let handle = self.connection.get_interrupt_handle();
        if !job.ticket.begin(move || handle.interrupt()) {
            return Ran::Done;
        }
        self.end.store(elapsed(self.started, job.end), Ordering::Relaxed);
        let outcome = self.statement(&job);
        job.ticket.end();
        self.end.store(u64::MAX, Ordering::Relaxed);
        match outcome {
            Ok(true) => return Ran::Writes(job),
            Ok(false) => {}
            Err(problem) => job.answer.end(Part::Failed(self.explained(problem, &job)), job.end),
        }
        Ran::Done
    }

    /// Whether a transaction is open.
    pub fn is_within(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// End whatever transaction is open, and undo the settings of its owner. False if the connection is of no more use.
    pub fn clean(&self) -> bool {
        let undone = if self.is_within() { self.connection.execute_batch("ROLLBACK") } else { Ok(()) };
        undone.is_ok() && guard::reset(&self.connection).is_ok()
    }

    fn explained(&self, problem: SqlProblem, job: &Job) -> SqlProblem {
        if problem.kind != Kind::Cancelled || Instant::now() < job.end {
            return problem;
        }
        SqlProblem::too_slow()
    }

    /// True if it writes and may not.
    fn statement(&self, job: &Job) -> Result<bool, SqlProblem> {
        let mut statement = self.connection.prepare_cached(&job.text)?;
        if self.is_reader && !statement.readonly() {
            return Ok(true);
        }
        if statement.readonly() || statement.column_count() == 0 {
            let last = self.prepared(&mut statement, job)?;
            // Its transaction ends with it.
            drop(statement);
            job.answer.end(Part::Last(last), job.end);
            return Ok(false);
        }
        // It has written everything when its first row comes, and may still fail.
        self.connection.execute_batch("savepoint bolt_statement")?;
        let outcome = self.prepared(&mut statement, job);
        drop(statement);
        if outcome.is_err() && self.is_within() {
            self.connection.execute_batch("rollback to bolt_statement")?;
        }
        if self.is_within() {
            self.connection.execute_batch("release bolt_statement")?;
        }
        job.answer.end(Part::Last(outcome?), job.end);
        Ok(false)
    }

    /// Run it; returns the last part of its result.
    fn prepared(&self, statement: &mut Statement<'_>, job: &Job) -> Result<Vec<u8>, SqlProblem> {
        bind(statement, &job.arguments)?;
        let is_write = !statement.readonly();
        // The columns are those of the first step: SQLite prepares a statement again when the tables have changed.
        let mut result: Option<(Batch, Vec<Shown>)> = None;
        let (mut count, mut sent) = (0, 0);
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            count += 1;
            if count > job.most_rows {
                return Err(SqlProblem::too_many_rows());
            }
            let (batch, shown) = match &mut result {
                Some(result) => result,
                None => result.insert(begun(row.as_ref(), job)?),
            };
            let width = shown.len();
            batch.row(width);
            for (column, shown) in shown.iter().enumerate() {
                let added =
                    cell(row.get_ref(column)?, *shown).and_then(|cell| batch.value(column, width, &cell));
                if let Err(wrong) = added {
                    let name = row.as_ref().column_name(column).unwrap_or_default();
                    return Err(SqlProblem::new(Kind::Data, format!("the column {name:?} has {wrong}")));
                }
                if sent + batch.size() > job.most_bytes {
                    return Err(SqlProblem::result_too_large());
                }
            }
            // Whoever reads what was written slowly does not keep the next writer waiting.
            if batch.is_full() && !is_write {
                sent += batch.size();
                if !job.answer.send(Part::Batch(batch.take(None)), job.end) {
                    return Err(SqlProblem::new(Kind::Cancelled, "nobody reads the result"));
                }
            }
        }
        drop(rows);
        let mut batch = match result {
            Some((batch, _)) => batch,
            None => begun(statement, job)?.0,
        };
        let changed = match is_write && text::changes_rows(&job.text) {
            true => i64::try_from(self.connection.changes()).unwrap_or(i64::MAX),
            false => -1,
        };
        let last = if changed < 0 { 0 } else { self.connection.last_insert_rowid() };
        Ok(batch.take(Some((changed, last))))
    }
}

/// An empty batch of a statement's rows, and how their values are shown.
fn begun(statement: &Statement<'_>, job: &Job) -> Result<(Batch, Vec<Shown>), SqlProblem> {
    let columns = statement.columns().map(|column| {
        (column.name().to_owned(), column.decl_type().unwrap_or_default().to_ascii_lowercase())
    });
    let columns: Vec<_> = columns.collect();
    let shown = job.shown.clone().filter(|shown| shown.len() == columns.len());
    let shown = shown.unwrap_or_else(|| values::shown(&columns, job.form));
    Ok((Batch::new(columns, job.form)?, shown))
}

fn elapsed(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
}

/// Bind arguments: `$2` and `?2` are the second one, and a `?` is the next.
fn bind(statement: &mut Statement<'_>, arguments: &[Value]) -> Result<(), SqlProblem> {
    let (mut wanted, mut places) = (0, Vec::with_capacity(arguments.len()));
    for index in 1..=statement.parameter_count() {
        let place = match statement.parameter_name(index) {
            None => index,
            Some(name) => match name[1..].parse::<usize>() {
                Ok(number @ 1..) => number,
                _ => {
                    let told = format!("the parameter {name:?} has no number: write $1, ?1 or ?");
                    return Err(SqlProblem::new(Kind::Statement, told));
                }
            },
        };
        wanted = wanted.max(place);
        places.push(place);
    }
    if wanted != arguments.len() {
        let told =
            format!("the statement has {wanted} parameters, and {} arguments were given", arguments.len());
        return Err(SqlProblem::new(Kind::Data, told));
    }
    for (index, place) in places.into_iter().enumerate() {
        statement.raw_bind_parameter(index + 1, &arguments[place - 1])?;
    }
    Ok(())
}
