//! Runs statements on one connection.

use crate::sql::batch::Batch;
use crate::sql::job::{Job, Part};
use crate::sql::postgres::clean::{self, Traits};
use crate::sql::postgres::connect::{Connected, Connector, Mover};
use crate::sql::postgres::meter::{self, State};
use crate::sql::postgres::parameter::Parameter;
use crate::sql::postgres::row::{self, Raw};
use crate::sql::problem::{Kind, SqlProblem};
use futures_util::TryStreamExt;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep_until, timeout};
use tokio_postgres::{Client, Statement};

/// Statements that a connection keeps prepared.
const PREPARED: usize = 100;
/// Longest text of one, in bytes.
const LONGEST_KEPT: usize = 16 * 1024;
/// How long a connection may take to end what was cancelled, before it is given up.
const PATIENCE: Duration = Duration::from_secs(2);
/// A syntax error.
const SYNTAX: &str = "42601";
/// The plan of a prepared statement is out of date: a table has changed.
const PLAN_CHANGED: &str = "0A000";

/// A connection.
pub struct Connection {
    client: Client,
    /// Moves its bytes.
    task: Mover,
    state: Arc<State>,
    /// The process of the server.
    process: i32,
    connector: Arc<Connector>,
    settings: String,
    /// With what was read in their texts.
    statements: HashMap<String, (Statement, Traits)>,
    /// What a statement leaves for the next one has to be undone.
    is_marked: bool,
    /// That may be among what the server has prepared.
    forgets: bool,
    /// A statement was left, and may still run.
    is_busy: bool,
    /// The server has said that it ends it.
    is_lost: bool,
}

/// How a statement ends before the database has ended it.
enum Left {
    /// Nobody wants it any more.
    Cancelled,
    /// The deadline has passed.
    Late,
}

impl Connection {
    /// `process`: the server's.
    pub fn new(connected: Connected, process: i32, connector: Arc<Connector>, settings: String) -> Self {
        let Connected { client, task, state } = connected;
        Self {
            client,
            task,
            state,
            process,
            connector,
            settings,
            statements: HashMap::new(),
            is_marked: false,
            forgets: false,
            is_busy: false,
            is_lost: false,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.is_lost || self.client.is_closed() || self.task.is_finished()
    }

    /// What is known of a text. It is read once for as long as it is prepared.
    pub fn traits(&self, text: &str) -> Traits {
        self.statements.get(text).map_or_else(|| Traits::of(text), |known| known.1)
    }

    /// Run a statement in a transaction of its own, and send what it gives.
    pub async fn run_alone(&mut self, job: &Job) {
        // A transaction would go to the next request.
        let traits = self.traits(&job.text);
        if traits.effect != clean::Effect::None {
            return job.answer.fail(SqlProblem::no_statement_of_its_own());
        }
        self.run(job, &job.text, traits, true).await;
    }

    /// Run a job with this text, and send what it gives. `is_alone`: it is a transaction of its own. False if it has failed.
    pub async fn run(&mut self, job: &Job, text: &str, traits: Traits, is_alone: bool) -> bool {
        let (interrupt, mut interrupted) = oneshot::channel();
        if !job.ticket.begin(move || {
            let _ = interrupt.send(());
        }) {
            return false;
        }
        self.is_marked |= traits.leaves_traces;
        self.forgets |= traits.may_prepare;
        let ran = {
            let statement = self.statement(job, text, traits, is_alone);
            let mut statement = pin!(statement);
            tokio::select! {
                ran = &mut statement => Ok(ran),
                Ok(()) = &mut interrupted => Err(Left::Cancelled),
                () = sleep_until(job.end.into()) => Err(Left::Late),
            }
        };
        job.ticket.end();
        let problem = match ran {
            Ok(Ok(last)) => {
                if job.answer.sent(Part::Last(last), job.end).await {
                    job.answer.close();
                }
                return true;
            }
            Ok(Err(problem)) => {
                // The server ends the connection after this.
                self.is_lost |= problem.code.as_deref().is_some_and(|code| code.starts_with("57P"));
                self.explained(problem)
            }
            Err(left) => {
                self.is_busy = true;
                match left {
                    Left::Cancelled => SqlProblem::new(Kind::Cancelled, "nobody reads the result"),
                    Left::Late => SqlProblem::too_slow(),
                }
            }
        };
        // It waits behind the parts that the guest has not read.
        if job.answer.sent(Part::Failed(problem), job.end).await {
            job.answer.close();
        }
        false
    }

    fn explained(&self, problem: SqlProblem) -> SqlProblem {
        if self.state.was_too_large.load(Ordering::Relaxed) {
            let told = format!("a row has more than {} MiB, so the connection was ended", meter::MOST >> 20);
            return SqlProblem::new(Kind::Limit, told);
        }
        problem
    }

    /// Returns the last part of its result.
    async fn statement(
        &mut self,
        job: &Job,
        text: &str,
        traits: Traits,
        is_alone: bool,
    ) -> Result<Vec<u8>, SqlProblem> {
        if let Some(why) = traits.refused {
            return Err(SqlProblem::new(Kind::Statement, why));
        }
        let mut is_first = true;
        loop {
            let statement = self.prepared(text, traits).await?;
            match self.rows(job, text, &statement, is_alone).await {
                Err(problem) if problem.code.as_deref() == Some(PLAN_CHANGED) => {
                    // Whoever runs it next, or repeats the transaction, has it prepared again.
                    self.statements.remove(text);
                    // Nothing was done, and outside of a transaction nothing is lost.
                    if !(is_first && is_alone) {
                        return Err(problem);
                    }
                    is_first = false;
                }
                ran => return ran,
            }
        }
    }

    async fn prepared(&mut self, text: &str, traits: Traits) -> Result<Statement, SqlProblem> {
        if let Some((statement, _)) = self.statements.get(text) {
            return Ok(statement.clone());
        }
        let prepared = self.client.prepare(text).await.map_err(SqlProblem::from);
        let statement = prepared.map_err(|problem| match problem.code.as_deref() {
            Some(SYNTAX) if text.contains('?') => {
                let told = format!("{} (parameters are $1, $2 and so on, not ?)", problem.message);
                SqlProblem { message: told, ..problem }
            }
            _ => problem,
        })?;
        if self.statements.len() >= PREPARED {
            self.statements.clear();
        }
        if text.len() <= LONGEST_KEPT {
            self.statements.insert(text.to_owned(), (statement.clone(), traits));
        }
        Ok(statement)
    }

    async fn rows(
        &mut self,
        job: &Job,
        text: &str,
        statement: &Statement,
        is_alone: bool,
    ) -> Result<Vec<u8>, SqlProblem> {
        let (wanted, given) = (statement.params().len(), job.arguments.len());
        if wanted != given {
            let told = format!("the statement has {wanted} parameters, and {given} arguments were given");
            return Err(SqlProblem::new(Kind::Data, told));
        }
        let columns = statement.columns();
        let named = columns.iter().map(|column| (column.name().to_owned(), row::declared(column.type_())));
        let mut batch = Batch::new(named.collect(), job.form)?;
        let (mut count, mut sent) = (0, 0);
        let rows = self.client.query_raw(statement, job.arguments.iter().map(Parameter)).await?;
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await? {
            count += 1;
            if count > job.most_rows {
                self.is_busy = true;
                return Err(over(SqlProblem::too_many_rows(), text, is_alone));
            }
            batch.row(columns.len());
            for (index, column) in columns.iter().enumerate() {
                let added = row::cell(column.type_(), row.try_get::<_, Raw<'_>>(index)?, job.form);
                let added =
                    added.and_then(|cell| batch.value(index, columns.len(), &cell).map_err(str::to_owned));
                if let Err(wrong) = added {
                    self.is_busy = true;
                    let told = format!("the column {:?} has {wrong}", column.name());
                    return Err(over(SqlProblem::new(Kind::Data, told), text, is_alone));
                }
                if sent + batch.size() > job.most_bytes {
                    self.is_busy = true;
                    return Err(over(SqlProblem::result_too_large(), text, is_alone));
                }
            }
            if batch.is_full() {
                sent += batch.size();
                if !job.answer.sent(Part::Batch(batch.take(None)), job.end).await {
                    self.is_busy = true;
                    return Err(SqlProblem::new(Kind::Cancelled, "nobody reads the result"));
                }
            }
        }
        let changed = match crate::sql::text::changes_rows(text) {
            true => i64::try_from(rows.rows_affected().unwrap_or_default()).unwrap_or(i64::MAX),
            false => -1,
        };
        Ok(batch.take(Some((changed, 0))))
    }

    /// Be ready for the next statement: end what was left, and undo what the last ones have changed. False if the connection
    /// is of no more use.
    pub async fn settle(&mut self) -> bool {
        if self.is_busy && !self.interrupt().await {
            return false;
        }
        if self.is_marked {
            let prepared = if self.forgets { "deallocate all; " } else { "" };
            let undo = format!("{}; {prepared}{}", clean::UNDO, self.settings);
            if std::mem::take(&mut self.forgets) {
                self.statements.clear();
            }
            if !matches!(timeout(PATIENCE, self.client.batch_execute(&undo)).await, Ok(Ok(()))) {
                return false;
            }
            self.is_marked = false;
        }
        !self.is_closed() && !self.state.was_large.load(Ordering::Relaxed)
    }

    /// End the statement that was left. False if it does not end.
    pub async fn interrupt(&mut self) -> bool {
        if !self.is_busy {
            return true;
        }
        let cancelled = async {
            self.connector.cancel(self.client.cancel_token()).await;
            // It is answered after whatever came before it, and may itself be cancelled.
            let _ = self.client.simple_query("").await;
            self.client.simple_query("").await.is_ok()
        };
        self.is_busy = false;
        if matches!(timeout(PATIENCE, cancelled).await, Ok(true)) {
            return true;
        }
        // Code of the app may catch the cancellation. Nothing catches this, and the process would count against others.
        let _ = timeout(PATIENCE, self.connector.terminate(self.process)).await;
        false
    }

    /// Roll back whatever is open. False if the connection is of no more use.
    pub async fn roll_back(&mut self) -> bool {
        self.interrupt().await
            && matches!(timeout(PATIENCE, self.client.batch_execute("rollback")).await, Ok(Ok(())))
    }
}

/// The result of a statement has a limit. One that writes in a transaction of its own has been executed.
fn over(problem: SqlProblem, text: &str, is_alone: bool) -> SqlProblem {
    if !is_alone || !crate::sql::text::changes_rows(text) {
        return problem;
    }
    SqlProblem { message: format!("{}; the statement was executed", problem.message), ..problem }
}
