//! Topics: the last events of each, and who waits for the next one.
//!
//! An event is kept once for all subscribers, each of which only has the place of its next one. With a broker, events come from
//! there, also those that this host publishes, and all hosts have them in the same order.

use crate::topics::event::{Event, MOST_BYTES, MOST_BYTES_OF_APP, MOST_KEPT, MOST_TOPICS};
use crate::topics::lane::Lane;
use crate::topics::link::{Receiver, TopicLink};
use crate::util::locks::lock;
use memchr::memchr2;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest name, in bytes.
const MOST_NAME: usize = 800;

/// The topics of one app, over all workers and versions.
#[derive(Debug, Default)]
pub struct Topics {
    by_name: Mutex<HashMap<String, Arc<Topic>>>,
    /// Bytes that are kept.
    held: AtomicUsize,
    pub published: AtomicU64,
    /// Events that subscribers were too slow for.
    pub missed: AtomicU64,
    /// Events that the broker did not take.
    pub lost: AtomicU64,
    /// The way to other hosts.
    link: Option<TopicLink>,
}

/// Where a subscriber begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the event that is published next.
    Now,
    /// After the event with this number, as far as they are kept.
    After(u64),
    /// With the first event that came while the topic was loaded from the broker.
    Loading,
}

#[derive(Debug)]
pub struct Topic {
    events: Mutex<Events>,
    /// Where its subscribers are.
    lanes: Mutex<Vec<Arc<Lane>>>,
    /// Nobody had subscribed when somebody last looked.
    was_unused: AtomicBool,
}

#[derive(Debug)]
struct Events {
    kept: VecDeque<Arc<Event>>,
    bytes: usize,
    /// The place of the next one: they are counted.
    end: u64,
    /// The number of the last one.
    last: u64,
    /// What others have published before is known, up to this place.
    loaded: Option<u64>,
}

impl Events {
    /// The place of the first one that is kept.
    fn first(&self) -> u64 {
        self.end - self.kept.len() as u64
    }

    /// The place after the event with this number.
    fn after(&self, number: u64) -> u64 {
        self.first() + self.kept.partition_point(|event| event.id <= number) as u64
    }

    /// The place where a subscriber begins, if that is known.
    fn place(&self, from: Start) -> Option<u64> {
        let loaded = self.loaded?;
        Some(match from {
            Start::Now => self.end,
            Start::After(number) => self.after(number),
            Start::Loading => loaded.max(self.first()),
        })
    }

    fn drop_first(&mut self) -> usize {
        let size = self.kept.pop_front().map_or(0, |event| event.size());
        self.bytes -= size;
        size
    }
}

impl Topics {
    /// Those of an app that has other hosts.
    pub fn linked(link: TopicLink) -> Self {
        let mut topics = Self::default();
        topics.link = Some(link);
        topics
    }

    fn receiver(self: &Arc<Self>) -> Weak<dyn Receiver> {
        let own: Weak<Self> = Arc::downgrade(self);
        own
    }

    /// Publish an event; returns its number, or 0 if the broker numbers it. The error is a sentence.
    pub fn publish(self: &Arc<Self>, name: &str, kind: String, data: String) -> Result<u64, String> {
        let has_lines = |text: &str| memchr2(b'\n', b'\r', text.as_bytes()).is_some();
        if has_lines(&kind) || kind.contains('\0') || has_lines(&data) {
            return Err("an event has one line".to_owned());
        }
        let id = match &self.link {
            Some(link) => {
                check_name(name)?;
                link.publish(self.receiver(), name, kind, data).map(|()| 0)?
            }
            None => {
                let topic = self.topic(name)?;
                let mut events = lock(&topic.events);
                let id = events.last + 1;
                self.keep(&mut events, id, kind, data)?;
                drop(events);
                topic.wake();
                id
            }
        };
        self.published.fetch_add(1, Ordering::Relaxed);
        Ok(id)
    }

    /// Keep an event, instead of older ones if need be. The error is a sentence.
    fn keep(&self, events: &mut Events, id: u64, kind: String, data: String) -> Result<(), String> {
        let event = Event::new(id, kind, data);
        let size = event.size();
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
        events.last = id;
        events.end += 1;
        events.kept.push_back(Arc::new(event));
        Ok(())
    }

    /// Subscribe to a topic. The error is a sentence.
    pub fn subscribe(self: &Arc<Self>, name: &str, from: Start) -> Result<Subscription, String> {
        let topic = self.topic(name)?;
        let lane = topic.lane();
        let slot = lane.enter();
        topic.was_unused.store(false, Ordering::Relaxed);
        let events = lock(&topic.events);
        // While it is loaded, what follows was published after this.
        let from = if from == Start::Now && events.loaded.is_none() { Start::Loading } else { from };
        let next = events.place(from);
        drop(events);
        Ok(Subscription { topics: self.clone(), topic, lane, slot, from, next })
    }

    /// Where a subscriber begins that wants what is published from here on. The error is a sentence.
    pub fn start_here(self: &Arc<Self>, name: &str) -> Result<Start, String> {
        let topic = self.topic(name)?;
        let events = lock(&topic.events);
        Ok(if events.loaded.is_some() { Start::After(events.last) } else { Start::Loading })
    }

    fn topic(self: &Arc<Self>, name: &str) -> Result<Arc<Topic>, String> {
        let mut topics = lock(&self.by_name);
        if let Some(topic) = topics.get(name) {
            return Ok(topic.clone());
        }
        check_name(name)?;
        if topics.len() >= MOST_TOPICS {
            self.make_room(&mut topics)?;
        }
        let topic = Arc::new(Topic::new(self.link.is_none()));
        topics.insert(name.to_owned(), topic.clone());
        if let Some(link) = &self.link {
            link.watch(self.receiver(), name);
        }
        Ok(topic)
    }

    fn forget(&self, name: &str, topic: &Topic) {
        self.held.fetch_sub(lock(&topic.events).bytes, Ordering::Relaxed);
        if let Some(link) = &self.link {
            link.unwatch(name);
        }
    }

    /// Remove the topic without subscribers that was published to longest ago.
    fn make_room(&self, topics: &mut HashMap<String, Arc<Topic>>) -> Result<(), String> {
        let unused = topics.iter().filter(|(_, topic)| Arc::strong_count(topic) == 1);
        let oldest = unused.min_by_key(|(_, topic)| lock(&topic.events).last).map(|(name, _)| name.clone());
        let Some(oldest) = oldest else { return Err(format!("the app has {MOST_TOPICS} topics")) };
        if let Some(topic) = topics.remove(&oldest) {
            self.forget(&oldest, &topic);
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

impl Receiver for Topics {
    fn arrive(&self, name: &str, arrived: Vec<(u64, String, String)>, is_history: bool) {
        let Some(topic) = lock(&self.by_name).get(name).cloned() else { return };
        let mut events = lock(&topic.events);
        for (id, kind, data) in arrived {
            // The broker may tell twice.
            if id > events.last && self.keep(&mut events, id, kind, data).is_err() {
                self.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
        if is_history {
            let end = events.end;
            events.loaded.get_or_insert(end);
        }
        drop(events);
        topic.wake();
    }

    fn arrived(&self, name: &str) -> Option<u64> {
        let topic = lock(&self.by_name).get(name).cloned()?;
        let last = lock(&topic.events).last;
        Some(last)
    }

    fn is_loading(&self, name: &str) -> bool {
        lock(&self.by_name).get(name).is_some_and(|topic| lock(&topic.events).loaded.is_none())
    }

    fn forget_unused(&self) {
        let mut topics = lock(&self.by_name);
        let is_unused = |topic: &Arc<Topic>| Arc::strong_count(topic) == 1;
        let old = |topic: &Arc<Topic>| is_unused(topic) && topic.was_unused.swap(true, Ordering::Relaxed);
        let forgotten: Vec<_> = topics.extract_if(|_, topic| old(topic)).collect();
        drop(topics);
        forgotten.iter().for_each(|(name, topic)| self.forget(name, topic));
    }

    fn lose(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }
}

fn check_name(name: &str) -> Result<(), String> {
    match name.len() {
        1..=MOST_NAME => Ok(()),
        _ => Err(format!("the name of a topic has 1 to {MOST_NAME} bytes")),
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            lock(&self.by_name).keys().for_each(|name| link.unwatch(name));
        }
    }
}

impl Topic {
    fn new(is_loaded: bool) -> Self {
        // Larger than all numbers of an earlier life of the host, and exact in JavaScript.
        let start = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_micros() as u64);
        let (last, loaded) = if is_loaded { (start() - 1, Some(0)) } else { (0, None) };
        let events = Mutex::new(Events { kept: VecDeque::new(), bytes: 0, end: 0, last, loaded });
        Self { events, lanes: Mutex::default(), was_unused: AtomicBool::new(false) }
    }

    /// The lane of this thread.
    fn lane(&self) -> Arc<Lane> {
        let mut lanes = lock(&self.lanes);
        if let Some(lane) = lanes.iter().find(|lane| lane.is_here()) {
            return lane.clone();
        }
        let lane = Arc::new(Lane::new());
        lanes.push(lane.clone());
        lane
    }

    fn wake(&self) {
        lock(&self.lanes).iter().for_each(Lane::wake);
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
    from: Start,
    /// The place of its next event, once the topic is loaded.
    next: Option<u64>,
}

impl Subscription {
    pub fn poll_next(&mut self, waker: &Waker) -> Poll<Next> {
        let events = lock(&self.topic.events);
        if self.next.is_none() {
            self.next = events.place(self.from);
        }
        let first = events.first();
        match &mut self.next {
            Some(next) if *next < first => {
                let missed = first - std::mem::replace(next, first);
                self.topics.missed.fetch_add(missed, Ordering::Relaxed);
                return Poll::Ready(Next::Missed(missed));
            }
            Some(next) => {
                let event = usize::try_from(*next - first).ok().and_then(|index| events.kept.get(index));
                if let Some(event) = event {
                    *next += 1;
                    return Poll::Ready(Next::Event(event.clone()));
                }
            }
            None => {}
        }
        // Under the lock of the events: one that is published now wakes it.
        self.lane.wait(self.slot, waker);
        Poll::Pending
    }

    /// Ready once nothing is missed that is published from then on.
    pub fn poll_loaded(&self, waker: &Waker) -> Poll<()> {
        let events = lock(&self.topic.events);
        if events.loaded.is_some() {
            return Poll::Ready(());
        }
        self.lane.wait(self.slot, waker);
        Poll::Pending
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.lane.leave(self.slot);
    }
}

#[cfg(test)]
#[path = "topic_tests.rs"]
mod tests;
