//! Answers an operation on a table: the host asks the database, and no interpreter is needed.

use crate::apps::app::App;
use crate::apps::worker_apps::WorkerApp;
use crate::codec::reply::{self, ContentType, Flow, Reply};
use crate::crud::statement::{self, TableStatement};
use crate::error::{Failure, Fault, Overload, Rejection};
use crate::http::calling::Answer;
use crate::manifest::table_query::{Operation, TableQuery};
use crate::pool::call::CallArgs;
use crate::sandbox::rows::Rows;
use crate::sandbox::streams_host::Flowing;
use crate::sql::batch::Form;
use crate::sql::job::{self, Job, Ticket};
use crate::sql::problem::{Kind, SqlProblem};
use bytes::{Bytes, BytesMut};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Waker;
use tokio::time::Instant;

/// Answer a request whose arguments are valid.
pub async fn answer(
    worker_app: &WorkerApp,
    (id, route): (u64, usize),
    query: &TableQuery,
    args: CallArgs,
    deadline: Instant,
) -> Result<Answer, Failure> {
    let _permit = worker_app.admission.enter(deadline).await?;
    let app = &*worker_app.app;
    let declared = &app.manifest.routes[route];
    let made = statement::statement(query, &declared.params, &app.manifest.models, &args.values.0);
    let Some(made) = made else { return Ok(refused(id, route)) };
    let mut rows = ask(app, query, made, deadline)?;
    let reply =
        |body| Reply { status: declared.status, content_type: ContentType::Json, headers: Vec::new(), body };
    if query.operation == Operation::List {
        return match rows.whole().await {
            Ok(Some(all)) => Ok(Answer { id, route, reply: reply(reply::Body::Bytes(all)), stream: None }),
            Ok(None) => {
                let reply = reply(reply::Body::Stream(Flow::Plain));
                Ok(Answer { id, route, reply, stream: Some(Flowing::Rows(rows)) })
            }
            Err(problem) => explained(id, route, problem),
        };
    }
    match one(&mut rows).await {
        Ok(Some(_)) if query.operation == Operation::Delete => {
            Ok(Answer { id, route, reply: reply(reply::Body::Bytes(Bytes::new())), stream: None })
        }
        Ok(Some(row)) => Ok(Answer { id, route, reply: reply(reply::Body::Bytes(row)), stream: None }),
        Ok(None) => Err(Rejection::NotFound.into()),
        Err(problem) => explained(id, route, problem),
    }
}

fn ask(app: &App, query: &TableQuery, made: TableStatement, deadline: Instant) -> Result<Rows, Failure> {
    let place = app.component.spec.streams.open().ok_or(Overload::Streams)?;
    let databases = &app.component.spec.databases;
    let bounds = databases.bounds();
    let most_bytes = match query.operation {
        Operation::List => bounds.bytes,
        // It is in memory as a whole.
        _ => bounds.bytes.min(app.limits.max_response),
    };
    let (answer, parts) = job::Answer::new(Waker::noop().clone(), job::FOR_CLIENTS);
    let ticket = Arc::<Ticket>::default();
    let job = Job {
        text: made.text,
        arguments: made.values,
        form: Form::Json,
        shown: Some(statement::shown(query)),
        most_rows: bounds.rows,
        most_bytes,
        end: deadline.into_std(),
        answer,
        ticket: ticket.clone(),
        charge: None,
    };
    match databases.get(&query.database) {
        Ok(database) => database.submit(job),
        Err(problem) => job.answer.fail(problem),
    }
    Ok(Rows::new(parts, ticket, place))
}

/// The only row, if there is one: an array without its brackets.
async fn one(rows: &mut Rows) -> Result<Option<Bytes>, SqlProblem> {
    let mut all = BytesMut::new();
    while let Some(part) = poll_fn(|cx| rows.poll(cx)).await {
        let part = part?;
        if all.is_empty() && rows.is_over() {
            return Ok(inner(part));
        }
        all.extend_from_slice(&part);
    }
    Ok(inner(all.freeze()))
}

fn inner(array: Bytes) -> Option<Bytes> {
    (array.len() > 2).then(|| array.slice(1..array.len() - 1))
}

fn refused(id: u64, route: usize) -> Answer {
    told(id, route, 422, "The database does not accept the item")
}

fn told(id: u64, route: usize, status: u16, detail: &str) -> Answer {
    let body = serde_json::json!({ "detail": detail }).to_string();
    let body = reply::Body::Bytes(body.into());
    let reply = Reply { status, content_type: ContentType::Json, headers: Vec::new(), body };
    Answer { id, route, reply, stream: None }
}

/// What a client is told of a statement that has failed.
fn explained(id: u64, route: usize, problem: SqlProblem) -> Result<Answer, Failure> {
    match problem.kind {
        Kind::Unique => Ok(told(id, route, 409, "There is such an item already")),
        Kind::ForeignKey => {
            Ok(told(id, route, 409, "It refers to an item that does not exist, or is referred to"))
        }
        Kind::NotNull | Kind::Check | Kind::Integrity | Kind::Data => Ok(refused(id, route)),
        _ => Err(fault(problem).into()),
    }
}

/// A query whose rows are the reply has failed.
pub fn fault(problem: SqlProblem) -> Fault {
    match problem.kind {
        Kind::Cancelled => Fault::Deadline,
        kind => {
            Fault::Query { is_away: matches!(kind, Kind::Operational | Kind::Busy), why: problem.message }
        }
    }
}
