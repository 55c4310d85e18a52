//! A store in a Redis or Valkey server, which several hosts may share. Its keys begin with the names of the app and the store.

use crate::kv::command::{Command, Condition, Outcome};
use crate::kv::reply::Reply;
use crate::sql::job::Held;
use crate::sql::problem::{Kind, SqlProblem};
use crate::topics::connection;
use crate::util::locks::lock;
use crate::util::server_thread;
use redis::aio::ConnectionManager;
use redis::{Client, ErrorKind, RedisError, Script, cmd};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the commands that wait hold together, in bytes.
const MOST_HELD: usize = 32 * 1024 * 1024;
/// What a command costs besides its keys and values, in bytes.
const OVERHEAD: usize = 4096;
/// Most bytes of the values of a command, and keys that are asked for at a time.
const MOST_RESULT: usize = 8 * 1024 * 1024;
const TOGETHER: usize = 8;
const TOO_LARGE: &str = "too many bytes";
/// Keys that a scan looks at: the server has them in no order.
const MOST_SCANNED: usize = 1_000_000;

/// Sets a key if its value is the second argument, or if there is none and the first one is 0.
const EQUAL: &str = "local v = redis.call('GET', KEYS[1]) \
    if not ((ARGV[1] == '1' and v == ARGV[2]) or (ARGV[1] == '0' and not v)) then return 0 end \
    if ARGV[4] == '0' then redis.call('SET', KEYS[1], ARGV[3]) \
    else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end return 1";
/// The number comes as text: numbers of a script have 53 bits.
const INCR: &str = "local had = redis.call('EXISTS', KEYS[1]) redis.call('INCRBY', KEYS[1], ARGV[1]) \
    if had == 0 and ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end \
    return redis.call('GET', KEYS[1])";
const EXPIRE: &str = "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end \
    if ARGV[1] == '0' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[1]) end \
    return 1";

/// A store of an app.
pub struct RedisStore {
    client: Client,
    prefix: String,
    held: Held,
    connection: Mutex<Option<ConnectionManager>>,
}

impl RedisStore {
    /// The error is a sentence without the URL.
    pub fn new(app: &str, store: &str, url: &str) -> Result<Arc<Self>, String> {
        let client = Client::open(url).map_err(|error| format!("its URL is wrong: {error}"))?;
        // The name of an app may contain whatever separates it.
        let prefix = format!("bolt:kv:{}:{app}:{store}:", app.len());
        Ok(Arc::new(Self { client, prefix, held: Held::default(), connection: Mutex::default() }))
    }

    /// Run a command on the thread of connections to servers.
    pub fn submit(self: &Arc<Self>, command: Command, end: Instant, reply: Reply) {
        let Some(charge) = self.held.take(command.size() + OVERHEAD, MOST_HELD) else {
            return reply(Err(SqlProblem::new(Kind::Busy, "too many commands wait for this store")));
        };
        let Some(runtime) = server_thread::runtime() else {
            return reply(Err(SqlProblem::new(
                Kind::Operational,
                "the host can start no thread for this store",
            )));
        };
        let store = self.clone();
        runtime.spawn(async move {
            let ran = tokio::time::timeout_at(end.into(), store.run(&command)).await;
            reply(ran.unwrap_or_else(|_| Err(SqlProblem::too_slow())));
            drop(charge);
        });
    }

    /// The connection, which is made in the runtime of the thread.
    fn connection(&self) -> Result<ConnectionManager, SqlProblem> {
        let mut connection = lock(&self.connection);
        if let Some(made) = &*connection {
            return Ok(made.clone());
        }
        let made = connection::commands(&self.client).map_err(|error| explained(&error))?;
        Ok(connection.insert(made).clone())
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    async fn run(&self, command: &Command) -> Result<Outcome, SqlProblem> {
        let connection = self.connection()?;
        self.ask(connection, command).await.map_err(|error| explained(&error))
    }

    async fn ask(&self, mut to: ConnectionManager, command: &Command) -> Result<Outcome, RedisError> {
        let keys = |keys: &[String]| keys.iter().map(|key| self.key(key)).collect::<Vec<_>>();
        Ok(match command {
            Command::Get(all) if all.is_empty() => Outcome::Values(Vec::new()),
            Command::Get(all) => Outcome::Values(values(&mut to, &keys(all)).await?),
            Command::Set { key, value, lasts, condition: Condition::Equal(expected) } => {
                let script = Script::new(EQUAL);
                let mut call = script.key(self.key(key));
                call.arg(i32::from(expected.is_some())).arg(expected.as_deref().unwrap_or_default());
                call.arg(&value[..]).arg(millis(*lasts));
                Outcome::Done(call.invoke_async(&mut to).await?)
            }
            Command::Set { key, value, lasts, condition } => {
                let mut set = cmd("SET");
                set.arg(self.key(key)).arg(&value[..]);
                if let Some(lasts) = lasts {
                    set.arg("PX").arg(millis(Some(*lasts)));
                }
                match condition {
                    Condition::Absent => set.arg("NX"),
                    Condition::Present => set.arg("XX"),
                    _ => &mut set,
                };
                let done: Option<String> = set.query_async(&mut to).await?;
                Outcome::Done(done.is_some())
            }
            Command::Put { pairs, lasts } => {
                let mut all = redis::pipe();
                all.atomic();
                for (key, value) in pairs {
                    let set = all.cmd("SET").arg(self.key(key)).arg(&value[..]);
                    if lasts.is_some() {
                        set.arg("PX").arg(millis(*lasts));
                    }
                    set.ignore();
                }
                if !pairs.is_empty() {
                    let () = all.query_async(&mut to).await?;
                }
                Outcome::Nothing
            }
            Command::Incr { key, by, lasts } => {
                let script = Script::new(INCR);
                let mut call = script.key(self.key(key));
                Outcome::Number(call.arg(*by).arg(millis(*lasts)).invoke_async(&mut to).await?)
            }
            Command::Delete(all) if all.is_empty() => Outcome::Number(0),
            Command::Delete(all) => Outcome::Number(cmd("DEL").arg(keys(all)).query_async(&mut to).await?),
            Command::Expire { key, lasts } => {
                let script = Script::new(EXPIRE);
                Outcome::Done(script.key(self.key(key)).arg(millis(*lasts)).invoke_async(&mut to).await?)
            }
            Command::Scan { prefix, after, most, values: false } => {
                Outcome::Keys(self.scan(&mut to, prefix, after.clone(), *most).await?)
            }
            Command::Scan { prefix, after, most, values: true } => {
                Outcome::Pairs(self.pairs(&mut to, prefix, after.clone(), *most).await?)
            }
        })
    }

    /// The first keys above `after`, in order.
    async fn scan(
        &self,
        to: &mut ConnectionManager,
        prefix: &str,
        after: Option<String>,
        most: usize,
    ) -> Result<Vec<String>, RedisError> {
        let pattern = format!("{}*", escaped(&self.key(prefix)));
        let (mut found, mut cursor, mut seen) = (BTreeSet::new(), 0u64, 0);
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1000);
            let (next, keys): (u64, Vec<String>) = scan.query_async(to).await?;
            seen += keys.len();
            if seen > MOST_SCANNED {
                let told = format!("more than {MOST_SCANNED} keys begin like this");
                return Err((ErrorKind::InvalidClientConfig, "too many keys", told).into());
            }
            for key in keys {
                let Some(key) = key.strip_prefix(&self.prefix) else { continue };
                if after.as_deref().is_none_or(|after| key > after) {
                    found.insert(key.to_owned());
                }
                if found.len() > most {
                    found.pop_last();
                }
            }
            if next == 0 {
                return Ok(found.into_iter().collect());
            }
            cursor = next;
        }
    }

    /// The same with the values. A page is empty only at the end.
    async fn pairs(
        &self,
        to: &mut ConnectionManager,
        prefix: &str,
        mut after: Option<String>,
        most: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, RedisError> {
        loop {
            let keys = self.scan(to, prefix, after, most).await?;
            let Some(last) = keys.last().cloned() else { return Ok(Vec::new()) };
            let named: Vec<_> = keys.iter().map(|key| self.key(key)).collect();
            let values = some_values(to, &named).await?.0;
            let pairs: Vec<_> = keys.into_iter().zip(values).filter_map(|(k, v)| Some((k, v?))).collect();
            if !pairs.is_empty() {
                return Ok(pairs);
            }
            // They have expired meanwhile.
            after = Some(last);
        }
    }
}

/// Values, a few at a time, until they are many bytes. Also says whether these are all.
async fn some_values(
    to: &mut ConnectionManager,
    keys: &[String],
) -> Result<(Vec<Option<Vec<u8>>>, bool), RedisError> {
    let (mut values, mut size) = (Vec::with_capacity(keys.len()), 0);
    for some in keys.chunks(TOGETHER) {
        let found: Vec<Option<Vec<u8>>> = cmd("MGET").arg(some).query_async(to).await?;
        size += found.iter().flatten().map(Vec::len).sum::<usize>();
        values.extend(found);
        if size > MOST_RESULT {
            break;
        }
    }
    let is_all = values.len() == keys.len() && size <= MOST_RESULT;
    Ok((values, is_all))
}

async fn values(to: &mut ConnectionManager, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, RedisError> {
    match some_values(to, keys).await? {
        (values, true) => Ok(values),
        _ => Err((ErrorKind::InvalidClientConfig, TOO_LARGE).into()),
    }
}

fn millis(lasts: Option<Duration>) -> u64 {
    lasts.map_or(0, |lasts| u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX))
}

/// A text as a pattern that only it fits.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// An app does not learn where its store is.
fn explained(error: &RedisError) -> SqlProblem {
    let text = error.to_string();
    if text.contains("not an integer") || text.contains("would overflow") || text.contains("WRONGTYPE") {
        return SqlProblem::new(Kind::Data, "the value is no integer of 64 bits, or the sum has more");
    }
    if text.contains(TOO_LARGE) {
        let told = format!("the values have more than {} MiB together", MOST_RESULT >> 20);
        return SqlProblem::new(Kind::Data, told);
    }
    if text.contains("too many keys") {
        return SqlProblem::new(Kind::Data, format!("more than {MOST_SCANNED} keys begin like this"));
    }
    if text.contains("OOM") {
        return SqlProblem::new(Kind::Limit, "the server of the store has no room");
    }
    SqlProblem::new(Kind::Operational, "the server of the store is away")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_no_pattern() {
        assert_eq!(escaped("a*b[c]\\"), "a\\*b\\[c\\]\\\\");
    }
}
