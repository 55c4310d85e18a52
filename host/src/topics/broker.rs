//! Topics that several hosts share, over Redis or Valkey (`--topics`): what the broker sends.
//!
//! A script of the [publisher](super::publisher) numbers each event, keeps the last ones of its topic in a stream, and
//! publishes it to the hosts that have subscribed. A host that subscribes, or that was away, first reads the stream.
//! Everything runs on a thread of its own.

use crate::config::broker::BrokerUrl;
use crate::topics::connection::{PAUSES, TIMEOUT, channel, commands, key};
use crate::topics::event::MOST_KEPT;
use crate::topics::link::{Address, TopicLink, Wanted};
use crate::topics::publisher;
use crate::util::cache_files;
use futures_util::StreamExt;
use redis::aio::{ConnectionManager, PubSubSink};
use redis::{Client, Msg, Pipeline, RedisError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

/// How often the host asks whether the broker is there, and forgets topics that nobody wants.
const LOOKS: Duration = Duration::from_secs(15);
/// Topics that are subscribed to in one exchange.
const AT_ONCE: usize = 64;

/// The way to the broker.
#[derive(Debug)]
pub struct Broker {
    listener: Arc<Listener>,
    runtime: Handle,
    /// Tells the events of this life of this host from those of others.
    publisher: String,
}

impl Broker {
    /// Connect in the background. The error is a sentence.
    pub fn start(url: &BrokerUrl) -> Result<Self, String> {
        let client = Client::open(url.as_str()).map_err(|e| format!("--topics: {e}"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| format!("the runtime of topics cannot be created: {e}"))?;
        let mut id = [0; 8];
        cache_files::random(&mut id).map_err(|e| format!("no random number for topics: {e}"))?;
        let publisher = format!("{:016x}", u64::from_le_bytes(id));
        let listener = Arc::new(Listener { client, wanted: Arc::default(), stopped: Notify::new() });
        let (handle, listening) = (runtime.handle().clone(), listener.clone());
        std::thread::Builder::new()
            .name("topics".to_owned())
            .spawn(move || runtime.block_on(listening.listen()))
            .map_err(|e| format!("the thread of topics cannot be created: {e}"))?;
        Ok(Self { listener, runtime: handle, publisher })
    }

    /// The link of an app's topics.
    pub fn link(&self, app: &str) -> TopicLink {
        let (link, waiting) = TopicLink::new(app.into(), self.listener.wanted.clone());
        let client = self.listener.client.clone();
        self.runtime.spawn(publisher::run(client, app.to_owned(), self.publisher.clone(), waiting));
        link
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.listener.stopped.notify_one();
    }
}

#[derive(Debug)]
struct Listener {
    client: Client,
    wanted: Arc<Wanted>,
    stopped: Notify,
}

impl Listener {
    async fn listen(self: Arc<Self>) {
        let (mut pause, mut is_away) = (PAUSES.0, false);
        loop {
            let began = Instant::now();
            let error = tokio::select! {
                () = self.stopped.notified() => return,
                outcome = self.receive(&mut is_away) => outcome,
            };
            if !is_away {
                let why = error.map_or_else(|| "it closed the connection".to_owned(), |e| e.to_string());
                tracing::error!(
                    "the broker of topics cannot be reached, and is tried again: {why} (--topics)"
                );
            }
            is_away = true;
            pause = if began.elapsed() > PAUSES.1 { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
            tokio::select! {
                () = self.stopped.notified() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Receive events until the connection ends; returns why.
    async fn receive(&self, is_away: &mut bool) -> Option<RedisError> {
        let connecting = tokio::time::timeout(TIMEOUT, self.client.get_async_pubsub()).await;
        let connection = match connecting.map_err(|e| RedisError::from(std::io::Error::from(e))) {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) | Err(error) => return Some(error),
        };
        let mut commands = match commands(&self.client) {
            Ok(commands) => commands,
            Err(error) => return Some(error),
        };
        let (mut sink, mut events) = connection.split();
        let mut by_channel = HashMap::new();
        let mut looks = tokio::time::interval(LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.wanted.reset();
        self.wanted.changed.notify_one();
        if std::mem::take(is_away) {
            tracing::info!("the broker of topics is reached again");
        }
        loop {
            let done = tokio::select! {
                event = events.next() => {
                    let event = event?;
                    self.take(&by_channel, &event);
                    Ok(())
                }
                () = self.wanted.changed.notified() => {
                    limited(self.subscribe(&mut sink, &mut commands, &mut by_channel)).await
                }
                _ = looks.tick() => {
                    self.wanted.all().iter().for_each(|topics| topics.forget_unused());
                    limited(async { sink.ping::<redis::Value>().await.map(drop) }).await
                }
            };
            if let Err(error) = done {
                return Some(error);
            }
        }
    }

    /// Subscribe to what apps want now, and read what was published before.
    async fn subscribe(
        &self,
        sink: &mut PubSubSink,
        commands: &mut ConnectionManager,
        by_channel: &mut HashMap<String, Address>,
    ) -> Result<(), RedisError> {
        let database = self.client.get_connection_info().redis_settings().db();
        let (more, less) = self.wanted.take_changes(AT_ONCE);
        if !more.is_empty() || !less.is_empty() {
            // There may be others.
            self.wanted.changed.notify_one();
        }
        let channels =
            |of: &[Address]| of.iter().map(|address| channel(&key(address), database)).collect::<Vec<_>>();
        if !less.is_empty() {
            let channels = channels(&less);
            channels.iter().for_each(|channel| drop(by_channel.remove(channel)));
            sink.unsubscribe(channels).await?;
        }
        if more.is_empty() {
            return Ok(());
        }
        let names = channels(&more);
        by_channel.extend(names.iter().cloned().zip(more.iter().cloned()));
        sink.subscribe(names).await?;
        let mut reading = Pipeline::new();
        for address in &more {
            let last = self.wanted.topics(address).and_then(|topics| topics.arrived(&address.topic));
            let last = last.filter(|last| *last > 0).map_or("-".to_owned(), |last| format!("({last}-0"));
            reading.cmd("XREVRANGE").arg(key(address)).arg("+").arg(last).arg("COUNT").arg(MOST_KEPT);
        }
        let histories: Vec<redis::Value> = reading.query_async(commands).await?;
        for (address, history) in more.iter().zip(histories) {
            // One that somebody else has written to is empty.
            let history: History = redis::from_redis_value(history).unwrap_or_default();
            let events = history.into_iter().rev().filter_map(|(number, mut fields)| {
                event(number.split('-').next()?, fields.remove("k")?, fields.remove("d")?)
            });
            if let Some(topics) = self.wanted.topics(address) {
                topics.arrive(&address.topic, events.collect(), true);
            }
        }
        Ok(())
    }

    /// An event has come.
    fn take(&self, by_channel: &HashMap<String, Address>, event: &Msg) {
        let text = std::str::from_utf8(event.get_payload_bytes()).ok();
        let mut lines = text.into_iter().flat_map(|text| text.splitn(3, '\n'));
        let (Some(number), Some(kind), Some(data)) = (lines.next(), lines.next(), lines.next()) else {
            return;
        };
        let Some(arrived) = self::event(number, kind.to_owned(), data.to_owned()) else { return };
        if let Some(address) = by_channel.get(event.get_channel_name())
            && let Some(topics) = self.wanted.topics(address)
        {
            topics.arrive(&address.topic, vec![arrived], false);
        }
    }
}

/// The last events of a topic, as the broker has them.
type History = Vec<(String, HashMap<String, String>)>;

/// Numbers are microseconds: one beyond the year 2200 would make the topic deaf.
const MOST_NUMBER: u64 = 7_258_118_400_000_000;

/// An event, if this or another host can have published it.
fn event(number: &str, kind: String, data: String) -> Option<(u64, String, String)> {
    let number = number.parse().ok().filter(|number| *number < MOST_NUMBER)?;
    let is_line = |text: &str| !text.contains(['\n', '\r', '\0']);
    (is_line(&kind) && is_line(&data)).then_some((number, kind, data))
}

async fn limited(work: impl Future<Output = Result<(), RedisError>>) -> Result<(), RedisError> {
    match tokio::time::timeout(TIMEOUT, work).await {
        Ok(outcome) => outcome,
        Err(elapsed) => Err(std::io::Error::from(elapsed).into()),
    }
}
