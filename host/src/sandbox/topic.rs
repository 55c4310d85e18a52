//! Topics: the last events of each, and who waits for the next one.
//!
//! An event is kept once for all subscribers, each of which only has the number of its next one. Whoever publishes wakes nobody:
//! a task on each worker does, some at a time, so that ten thousand subscribers do not hold up the other connections there.

use crate::util::locks::lock;
use crate::websocket::encoder;
use bytes::Bytes;
use memchr::memchr2;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Poll, Waker};
use std::thread::ThreadId;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;

/// Topics of an app.
const MOST_TOPICS: usize = 1000;
/// Longest name, in bytes.
const MOST_NAME: usize = 800;
/// Events that a topic keeps, for slow subscribers and those who come back.
const MOST_KEPT: usize = 128;
/// Bytes of them.
const MOST_BYTES: usize = 256 * 1024;
/// Bytes of all topics of an app.
const MOST_BYTES_OF_APP: usize = 16 * 1024 * 1024;
/// What an event costs besides its text, in bytes. It may be encoded twice.
const OVERHEAD: usize = 200;
/// Subscribers that are woken before others may run.
const AT_ONCE: usize = 32;

/// The topics of one app, over all workers and versions.
#[derive(Debug, Default)]
pub struct Topics {
    by_name: Mutex<HashMap<String, Arc<Topic>>>,
    /// Bytes that are kept.
    held: AtomicUsize,
    pub published: AtomicU64,
    /// Events that subscribers were too slow for.
    pub missed: AtomicU64,
}

/// An event, encoded once for all who get it.
#[derive(Debug)]
pub struct Event {
    pub id: u64,
    /// Its type, or "".
    pub kind: String,
    /// JSON on one line.
    pub data: String,
    as_sse: OnceLock<Bytes>,
    as_frame: OnceLock<Bytes>,
}

impl Event {
    /// For a stream of server-sent events.
    pub fn sse(&self) -> Bytes {
        let encode = || {
            let kind = if self.kind.is_empty() { String::new() } else { format!("event: {}\n", self.kind) };
            format!("{kind}data: {}\nid: {}\n\n", self.data, self.id).into()
        };
        self.as_sse.get_or_init(encode).clone()
    }

    /// For a WebSocket: a string is its text.
    pub fn frame(&self) -> Bytes {
        let encode = || {
            let text = serde_json::from_str::<String>(&self.data);
            encoder::message(true, text.as_deref().unwrap_or(&self.data).as_bytes(), None).into()
        };
        self.as_frame.get_or_init(encode).clone()
    }

    fn size(&self) -> usize {
        OVERHEAD + 3 * (self.data.len() + self.kind.len())
    }
}

#[derive(Debug)]
pub struct Topic {
    events: Mutex<Events>,
    /// Where its subscribers are.
    lanes: Mutex<Vec<Arc<Lane>>>,
}

#[derive(Debug)]
struct Events {
    kept: VecDeque<Arc<Event>>,
    bytes: usize,
    /// The number of the next one.
    next: u64,
}

impl Events {
    fn first(&self) -> u64 {
        self.next - self.kept.len() as u64
    }

    fn drop_first(&mut self) -> usize {
        let size = self.kept.pop_front().map_or(0, |event| event.size());
        self.bytes -= size;
        size
    }
}

impl Topics {
    /// Publish an event; returns its number. The error is a sentence.
    pub fn publish(self: &Arc<Self>, name: &str, kind: String, data: String) -> Result<u64, String> {
        let has_lines = |text: &str| memchr2(b'\n', b'\r', text.as_bytes()).is_some();
        if has_lines(&kind) || kind.contains('\0') || has_lines(&data) {
            return Err("an event has one line".to_owned());
        }
        let topic = self.topic(name)?;
        let mut events = lock(&topic.events);
        let event = Event { id: events.next, kind, data, as_sse: OnceLock::new(), as_frame: OnceLock::new() };
        let (id, size) = (event.id, event.size());
        let mut freed = 0;
        while !events.kept.is_empty()
            && (events.kept.len() >= MOST_KEPT
                || events.bytes + size > MOST_BYTES
                || self.held.load(Ordering::Relaxed) + size > MOST_BYTES_OF_APP + freed)
        {
            freed += events.drop_first();
        }
        self.held.fetch_sub(freed, Ordering::Relaxed);
        if self.held.load(Ordering::Relaxed) + size > MOST_BYTES_OF_APP {
            return Err(format!("the app's topics keep more than {MOST_BYTES_OF_APP} bytes of events"));
        }
        self.held.fetch_add(size, Ordering::Relaxed);
        events.bytes += size;
        events.next += 1;
        events.kept.push_back(Arc::new(event));
        drop(events);
        self.published.fetch_add(1, Ordering::Relaxed);
        lock(&topic.lanes).iter().for_each(Lane::wake);
        Ok(id)
    }

    /// Subscribe to a topic, to the events after the number `after` or to those that come. The error is a sentence.
    pub fn subscribe(self: &Arc<Self>, name: &str, after: Option<u64>) -> Result<Subscription, String> {
        let topic = self.topic(name)?;
        let lane = topic.lane();
        let slot = lane.enter();
        let events = lock(&topic.events);
        // Numbers of an earlier life of the host are smaller than all of this one.
        let next =
            after.map_or(events.next, |after| after.saturating_add(1).clamp(events.first(), events.next));
        drop(events);
        Ok(Subscription { topics: self.clone(), topic, lane, slot, next })
    }

    /// The number of a topic's last event.
    pub fn last(self: &Arc<Self>, name: &str) -> Result<u64, String> {
        let topic = self.topic(name)?;
        let last = lock(&topic.events).next - 1;
        Ok(last)
    }

    fn topic(self: &Arc<Self>, name: &str) -> Result<Arc<Topic>, String> {
        let mut topics = lock(&self.by_name);
        if let Some(topic) = topics.get(name) {
            return Ok(topic.clone());
        }
        if name.is_empty() || name.len() > MOST_NAME {
            return Err(format!("the name of a topic has 1 to {MOST_NAME} bytes"));
        }
        if topics.len() >= MOST_TOPICS {
            self.make_room(&mut topics)?;
        }
        let topic = Arc::new(Topic::new());
        topics.insert(name.to_owned(), topic.clone());
        Ok(topic)
    }

    /// Remove the topic without subscribers that was published to longest ago.
    fn make_room(&self, topics: &mut HashMap<String, Arc<Topic>>) -> Result<(), String> {
        let unused = topics.iter().filter(|(_, topic)| Arc::strong_count(topic) == 1);
        let oldest = unused.min_by_key(|(_, topic)| lock(&topic.events).next).map(|(name, _)| name.clone());
        let Some(oldest) = oldest else { return Err(format!("the app has {MOST_TOPICS} topics")) };
        if let Some(topic) = topics.remove(&oldest) {
            self.held.fetch_sub(lock(&topic.events).bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    /// How many topics there are, and how many subscriptions.
    pub fn counts(&self) -> (usize, usize) {
        let topics = lock(&self.by_name);
        let lanes = |topic: &Arc<Topic>| lock(&topic.lanes).iter().map(|lane| lane.count()).sum::<usize>();
        (topics.len(), topics.values().map(lanes).sum())
    }
}

impl Topic {
    fn new() -> Self {
        // Larger than all numbers of an earlier life of the host, and exact in JavaScript.
        let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_micros() as u64);
        let events = Mutex::new(Events { kept: VecDeque::new(), bytes: 0, next: start });
        Self { events, lanes: Mutex::default() }
    }

    /// The lane of this thread.
    fn lane(&self) -> Arc<Lane> {
        let (thread, mut lanes) = (std::thread::current().id(), lock(&self.lanes));
        if let Some(lane) = lanes.iter().find(|lane| lane.thread == thread) {
            return lane.clone();
        }
        let lane = Arc::new(Lane {
            thread,
            runtime: Handle::try_current().ok(),
            waiting: Mutex::default(),
            is_waking: AtomicBool::new(false),
            is_due: AtomicBool::new(false),
        });
        lanes.push(lane.clone());
        lane
    }
}

/// The subscribers of a topic on one thread.
#[derive(Debug)]
struct Lane {
    thread: ThreadId,
    runtime: Option<Handle>,
    waiting: Mutex<Waiting>,
    /// A task wakes them.
    is_waking: AtomicBool,
    /// There was an event since it last began.
    is_due: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Lane {
    fn enter(&self) -> usize {
        let mut waiting = lock(&self.waiting);
        waiting.free.pop().unwrap_or_else(|| {
            waiting.slots.push(None);
            waiting.slots.len() - 1
        })
    }

    fn leave(&self, slot: usize) {
        let mut waiting = lock(&self.waiting);
        waiting.slots[slot] = None;
        waiting.free.push(slot);
        if waiting.free.len() == waiting.slots.len() {
            *waiting = Waiting::default();
        }
    }

    fn count(&self) -> usize {
        let waiting = lock(&self.waiting);
        waiting.slots.len() - waiting.free.len()
    }

    /// Wake all who wait, soon.
    fn wake(self: &Arc<Self>) {
        self.is_due.store(true, Ordering::SeqCst);
        if self.is_waking.swap(true, Ordering::SeqCst) {
            return;
        }
        match &self.runtime {
            Some(runtime) => drop(runtime.spawn(self.clone().wake_all())),
            None => {
                lock(&self.waiting).slots.iter_mut().filter_map(Option::take).for_each(Waker::wake);
                self.is_waking.store(false, Ordering::SeqCst);
            }
        }
    }

    async fn wake_all(self: Arc<Self>) {
        loop {
            self.is_due.store(false, Ordering::SeqCst);
            // Subscribers that were woken have to run, also if somebody publishes all the time.
            tokio::task::yield_now().await;
            let mut at = 0;
            loop {
                let some: Vec<Waker> = {
                    let mut waiting = lock(&self.waiting);
                    let slots = waiting.slots.get_mut(at..).unwrap_or_default();
                    if slots.is_empty() {
                        break;
                    }
                    slots.iter_mut().take(AT_ONCE).filter_map(Option::take).collect()
                };
                at += AT_ONCE;
                if !some.is_empty() {
                    some.into_iter().for_each(Waker::wake);
                    // They run, and whoever else has something to do on this worker.
                    tokio::task::yield_now().await;
                }
            }
            self.is_waking.store(false, Ordering::SeqCst);
            if !self.is_due.load(Ordering::SeqCst) || self.is_waking.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }
}

/// What a subscriber gets.
#[derive(Debug)]
pub enum Next {
    Event(Arc<Event>),
    /// So many were dropped: it was too slow.
    Missed(u64),
}

/// A subscriber's place in a topic.
#[derive(Debug)]
pub struct Subscription {
    topics: Arc<Topics>,
    topic: Arc<Topic>,
    lane: Arc<Lane>,
    slot: usize,
    next: u64,
}

impl Subscription {
    pub fn poll_next(&mut self, waker: &Waker) -> Poll<Next> {
        let events = lock(&self.topic.events);
        let first = events.first();
        if self.next < first {
            let missed = first - std::mem::replace(&mut self.next, first);
            self.topics.missed.fetch_add(missed, Ordering::Relaxed);
            return Poll::Ready(Next::Missed(missed));
        }
        let event = usize::try_from(self.next - first).ok().and_then(|index| events.kept.get(index));
        if let Some(event) = event {
            self.next += 1;
            return Poll::Ready(Next::Event(event.clone()));
        }
        // Under the lock of the events: one that is published now wakes it.
        let mut waiting = lock(&self.lane.waiting);
        if let Some(slot) = waiting.slots.get_mut(self.slot)
            && !slot.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            *slot = Some(waker.clone());
        }
        Poll::Pending
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.lane.leave(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    fn publish(topics: &Arc<Topics>, name: &str, data: &str) -> u64 {
        topics.publish(name, String::new(), data.to_owned()).unwrap()
    }

    async fn data(subscription: &mut Subscription) -> String {
        match poll_fn(|cx| subscription.poll_next(cx.waker())).await {
            Next::Event(event) => event.data.clone(),
            Next::Missed(count) => format!("missed {count}"),
        }
    }

    #[tokio::test]
    async fn all_subscribers_get_what_is_published_after_them() {
        let topics = Arc::<Topics>::default();
        publish(&topics, "a", "0");
        let mut many: Vec<_> = (0..100).map(|_| topics.subscribe("a", None).unwrap()).collect();
        let waiting: Vec<_> =
            many.drain(..50).map(|mut one| tokio::spawn(async move { data(&mut one).await })).collect();
        tokio::task::yield_now().await;
        publish(&topics, "b", "9");
        let id = publish(&topics, "a", "1");
        for one in waiting {
            assert_eq!(one.await.unwrap(), "1");
        }
        assert_eq!(data(&mut many[0]).await, "1");
        assert_eq!(topics.counts(), (2, 50));
        // One that comes back gets what it has not seen.
        let mut back = topics.subscribe("a", Some(id - 1)).unwrap();
        assert_eq!(data(&mut back).await, "1");
        assert!(back.poll_next(Waker::noop()).is_pending());
        let mut old = topics.subscribe("a", Some(5)).unwrap();
        assert_eq!((data(&mut old).await, data(&mut old).await), ("0".to_owned(), "1".to_owned()));
        let mut ahead = topics.subscribe("a", Some(u64::MAX)).unwrap();
        assert!(ahead.poll_next(Waker::noop()).is_pending());
        drop((many, back, old, ahead));
        assert_eq!(topics.counts(), (2, 0));
    }

    #[tokio::test]
    async fn what_is_kept_has_bounds() {
        let topics = Arc::<Topics>::default();
        let mut slow = topics.subscribe("a", None).unwrap();
        for number in 0..200 {
            publish(&topics, "a", &number.to_string());
        }
        assert_eq!(data(&mut slow).await, "missed 72");
        assert_eq!((data(&mut slow).await, topics.missed.load(Ordering::Relaxed)), ("72".to_owned(), 72));
        // One large event is kept, with none before it.
        publish(&topics, "a", &"x".repeat(MOST_BYTES));
        let events = |name: &str| lock(&topics.topic(name).unwrap().events).kept.len();
        assert_eq!(events("a"), 1);
        for number in 0..2 * MOST_TOPICS {
            publish(&topics, &number.to_string(), "x");
        }
        assert_eq!(topics.counts().0, MOST_TOPICS);
        assert_eq!(events("a"), 1, "it has a subscriber");
        let large = "x".repeat(MOST_BYTES);
        let outcomes: Vec<_> =
            (0..100).map(|n| topics.publish(&format!("l{n}"), String::new(), large.clone())).collect();
        assert!(outcomes[0].is_ok() && outcomes[99].is_err());
        assert!(topics.held.load(Ordering::Relaxed) <= MOST_BYTES_OF_APP);
        for wrong in ["", &"x".repeat(MOST_NAME + 1)] {
            assert!(topics.subscribe(wrong, None).is_err());
        }
        assert!(topics.publish("a", "a\nb".to_owned(), String::new()).is_err());
    }

    #[test]
    fn events_are_encoded_for_streams_and_sockets() {
        let event = |kind: &str, data: &str| Event {
            id: 7,
            kind: kind.to_owned(),
            data: data.to_owned(),
            as_sse: OnceLock::new(),
            as_frame: OnceLock::new(),
        };
        assert_eq!(event("", "1").sse(), "data: 1\nid: 7\n\n");
        assert_eq!(event("k", "{\"a\":1}").sse(), "event: k\ndata: {\"a\":1}\nid: 7\n\n");
        assert_eq!(event("", "\"a\\nb\"").frame(), &b"\x81\x03a\nb"[..]);
        assert_eq!(event("", "[1]").frame(), &b"\x81\x03[1]"[..]);
    }
}
