//! Sends what an app publishes to the broker of topics, in order and once.

use crate::topics::connection::{PAUSES, TIMEOUT, channel, commands, key, prefix};
use crate::topics::event::{MOST_BYTES, MOST_BYTES_OF_APP, MOST_KEPT, MOST_TOPICS};
use crate::topics::link::{Address, Outgoing, Waiting};
use redis::aio::ConnectionManager;
use redis::{Client, Pipeline, RedisError, Script};
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::time::Instant;

/// Numbers, keeps and publishes an event.
static PUBLISH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("publish.lua")));

/// How long events wait for a broker that is away.
const PATIENCE: Duration = Duration::from_secs(15);
/// Events in one exchange.
const AT_ONCE: usize = 64;
/// How often a publisher looks whether a topic is loaded.
const LOOKS: Duration = Duration::from_millis(2);

/// Publish what an app's topics send, until they are gone.
pub async fn run(client: Client, app: String, publisher: String, mut waiting: Waiting) {
    let mut commands = match commands(&client) {
        Ok(commands) => commands,
        Err(error) => return tracing::error!(app, "topics cannot be published: {error} (--topics)"),
    };
    let database = client.get_connection_info().redis_settings().db();
    let keys = Keys { app: app.as_str().into(), publisher, database };
    let mut sent = 0;
    while let Some(first) = waiting.events.recv().await {
        let mut batch = vec![first];
        while batch.len() < AT_ONCE
            && let Ok(next) = waiting.events.try_recv()
        {
            batch.push(next);
        }
        for event in &batch {
            until_loaded(event).await;
        }
        if let Err(error) = send(&mut commands, &keys, &batch, sent).await {
            let count = batch.len() as u64;
            if let Some(topics) = batch[0].topics.upgrade() {
                topics.lose(count);
            }
            tracing::error!(
                app,
                "{count} events were lost, because the broker of topics does not take them: {error} (--topics)"
            );
        }
        sent += batch.len() as u64;
        let bytes = batch.iter().map(|event| event.size).sum();
        waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Who subscribes and then publishes gets the event: the host has to be subscribed before.
async fn until_loaded(event: &Outgoing) {
    let end = Instant::now() + TIMEOUT;
    while event.topics.upgrade().is_some_and(|topics| topics.is_loading(&event.topic)) && Instant::now() < end
    {
        tokio::time::sleep(LOOKS).await;
    }
}

/// What the keys of an app's topics are made from.
struct Keys {
    app: Arc<str>,
    publisher: String,
    database: i64,
}

/// Publish events, and try again while the broker is away. `sent`: how many were sent before.
async fn send(
    commands: &mut ConnectionManager,
    keys: &Keys,
    batch: &[Outgoing],
    sent: u64,
) -> Result<(), RedisError> {
    let prefix = prefix(&keys.app);
    let mut publishing = Pipeline::new();
    for (number, event) in (sent + 1..).zip(batch) {
        let events = key(&Address { app: keys.app.clone(), topic: event.topic.clone() });
        publishing
            .cmd("EVALSHA")
            .arg(PUBLISH.get_hash())
            .arg(4)
            .arg(&events)
            .arg((format!("{prefix}:index"), format!("{prefix}:bytes")))
            .arg(format!("{prefix}:from:{}", keys.publisher))
            .arg((&event.kind, &event.data, event.size, &event.topic, number))
            .arg((format!("{prefix}:events:"), channel(&events, keys.database)))
            .arg((MOST_KEPT, MOST_BYTES, MOST_BYTES_OF_APP, MOST_TOPICS));
    }
    let (began, mut pause) = (Instant::now(), PAUSES.0);
    loop {
        let error = match publishing.query_async::<redis::Value>(commands).await {
            Ok(_) => return Ok(()),
            Err(error) if error.code() == Some("NOSCRIPT") => {
                match PUBLISH.prepare_invoke().load_async(commands).await {
                    Ok(_) => continue,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        if began.elapsed() > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}
