//! Migrates a Postgres database.

use crate::config::databases::Url;
use crate::sql::migrations::files::Migration;
use crate::sql::migrations::{APPLIED, Applied, NOTE, TABLE, plan};
use crate::sql::postgres::Connector;
use crate::sql::postgres::Terms;
use crate::sql::problem::SqlProblem;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, Error};

/// Who migrates holds it to the end of each transaction.
const PATIENCE: &str = "set local lock_timeout to '60s'";
/// Whether the table of what was applied is another role's.
const FOREIGN: &str = "select relowner <> (select oid from pg_catalog.pg_roles where rolname = current_user) \
    or relhastriggers or relhasrules from pg_catalog.pg_class where oid = 'bolt_migrations'::regclass";
const LOCK: &str = "select pg_advisory_xact_lock(7310583562091461)";

pub fn migrate(
    url: &Url,
    files: &[Migration],
    is_trial: bool,
    tell: &mut dyn FnMut(&Migration, Duration),
) -> Result<(), String> {
    let terms = Terms::new(url, 1, Duration::ZERO)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let connected = Connector::new(&terms)?.connect().await?;
        let client = &connected.client;
        if is_trial {
            let applied = applied(client).await.unwrap_or_default();
            plan::pending(&applied, files)?.into_iter().for_each(|file| tell(file, Duration::ZERO));
            return Ok(());
        }
        loop {
            let begun = Instant::now();
            client.batch_execute(&format!("begin; {PATIENCE}; {LOCK}; {TABLE}")).await.map_err(sentence)?;
            if client.query_one(FOREIGN, &[]).await.and_then(|row| row.try_get(0)).map_err(sentence)? {
                return Err(
                    "the table bolt_migrations belongs to another role, or has triggers: whoever made it \
                            would act with the rights of this one"
                        .to_owned(),
                );
            }
            let applied = applied(client).await.map_err(sentence)?;
            let Some(&file) = plan::pending(&applied, files)?.first() else {
                return client.batch_execute("commit").await.map_err(sentence);
            };
            let wrong = |error: Error| format!("{}: {}", file.name, sentence(error));
            let ran = client.batch_execute(&file.text).await;
            // After an error, within a transaction, nothing can be asked.
            if matches!(is_within(client).await, Ok(false)) {
                return Err(format!(
                    "{} has ended the transaction that it is applied in, and what it did before stays: \
                     leave out BEGIN, COMMIT and ROLLBACK",
                    file.name
                ));
            }
            ran.map_err(wrong)?;
            client.execute(NOTE, &[&file.name, &file.hash]).await.map_err(wrong)?;
            client.batch_execute("commit").await.map_err(wrong)?;
            tell(file, begun.elapsed());
        }
    })
}

async fn applied(client: &Client) -> Result<Vec<Applied>, Error> {
    let rows = client.query(APPLIED, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Whether the transaction is still open, which the lock is held in.
async fn is_within(client: &Client) -> Result<bool, Error> {
    let held = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()";
    Ok(client.query_one(held, &[]).await?.try_get::<_, i64>(0)? > 0)
}

fn sentence(error: Error) -> String {
    SqlProblem::from(error).message
}
