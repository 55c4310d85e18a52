//! The way of an app's topics to the broker, and what waits on it: events to publish, and the topics that subscribers want.
//!
//! Both have bounds of the app: a broker that is away or slow costs the host no more than that.

use crate::topics::event;
use crate::util::locks::lock;
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::{Notify, mpsc};

/// Bytes of an app's events that wait for the broker.
const MOST_WAITING: usize = 4 * 1024 * 1024;

/// What the broker tells the topics of an app.
pub trait Receiver: Send + Sync + Debug {
    /// Events have come, with their numbers. With `is_history`, the topic is loaded.
    fn arrive(&self, topic: &str, events: Vec<(u64, String, String)>, is_history: bool);
    /// The number of the last event of a topic that has come; `None` if nobody wants the topic.
    fn arrived(&self, topic: &str) -> Option<u64>;
    /// Whether a topic is wanted whose earlier events have not come.
    fn is_loading(&self, topic: &str) -> bool;
    /// So many events were not published.
    fn lose(&self, count: u64);
    /// Forget the topics without subscribers that had none at the last call. The broker has their events.
    fn forget_unused(&self);
}

/// An event on its way to the broker.
pub struct Outgoing {
    pub topics: Weak<dyn Receiver>,
    pub topic: String,
    pub kind: String,
    pub data: String,
    pub size: usize,
}

/// The events of an app that wait for the broker.
pub struct Waiting {
    pub events: mpsc::UnboundedReceiver<Outgoing>,
    /// Their bytes, until they are published or given up.
    pub bytes: Arc<AtomicUsize>,
}

/// The link of one app.
#[derive(Debug)]
pub struct TopicLink {
    app: Arc<str>,
    subscriptions: Arc<Wanted>,
    events: mpsc::UnboundedSender<Outgoing>,
    bytes: Arc<AtomicUsize>,
}

impl TopicLink {
    pub fn new(app: Arc<str>, subscriptions: Arc<Wanted>) -> (Self, Waiting) {
        let (events, waiting) = mpsc::unbounded_channel();
        let bytes = Arc::<AtomicUsize>::default();
        let link = Self { app, subscriptions, events, bytes: bytes.clone() };
        (link, Waiting { events: waiting, bytes })
    }

    /// Send an event to the broker, from where it comes back. The error is a sentence.
    pub fn publish(
        &self,
        topics: Weak<dyn Receiver>,
        topic: &str,
        kind: String,
        data: String,
    ) -> Result<(), String> {
        let size = event::size(&kind, &data) + topic.len();
        let more = |held: usize| (held + size <= MOST_WAITING.max(size)).then_some(held + size);
        if self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            return Err(
                "the broker of topics does not take events as fast as the app publishes them (--topics)"
                    .to_owned(),
            );
        }
        let event = Outgoing { topics, topic: topic.to_owned(), kind, data, size };
        self.events.send(event).map_err(|_| "the broker of topics is gone".to_owned())
    }

    /// The app has a topic, whose events have to come from the broker.
    pub fn watch(&self, topics: Weak<dyn Receiver>, topic: &str) {
        self.subscriptions.watch(Address::new(&self.app, topic), topics);
    }

    pub fn unwatch(&self, topic: &str) {
        self.subscriptions.unwatch(&Address::new(&self.app, topic));
    }
}

/// A topic among those of all apps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    pub app: Arc<str>,
    pub topic: String,
}

impl Address {
    fn new(app: &Arc<str>, topic: &str) -> Self {
        Self { app: app.clone(), topic: topic.to_owned() }
    }
}

/// The topics that all apps want, and those that the broker sends.
#[derive(Debug, Default)]
pub struct Wanted {
    state: Mutex<State>,
    /// They differ.
    pub changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    wanted: HashMap<Address, Weak<dyn Receiver>>,
    subscribed: HashSet<Address>,
    /// Where they differ.
    changed: HashSet<Address>,
}

impl Wanted {
    fn watch(&self, address: Address, topics: Weak<dyn Receiver>) {
        let mut state = lock(&self.state);
        state.changed.insert(address.clone());
        state.wanted.insert(address, topics);
        drop(state);
        self.changed.notify_one();
    }

    fn unwatch(&self, address: &Address) {
        let mut state = lock(&self.state);
        state.wanted.remove(address);
        if state.subscribed.contains(address) {
            state.changed.insert(address.clone());
            drop(state);
            self.changed.notify_one();
        } else {
            state.changed.remove(address);
        }
    }

    /// The topics of the app that wants this.
    pub fn topics(&self, address: &Address) -> Option<Arc<dyn Receiver>> {
        lock(&self.state).wanted.get(address).and_then(Weak::upgrade)
    }

    /// What is to be subscribed to and unsubscribed from, at most so many of each. Whoever asks does it.
    pub fn take_changes(&self, most: usize) -> (Vec<Address>, Vec<Address>) {
        let mut state = lock(&self.state);
        let some: Vec<_> = state.changed.iter().take(most).cloned().collect();
        let (mut more, mut less) = (Vec::new(), Vec::new());
        for address in some {
            state.changed.remove(&address);
            if state.wanted.contains_key(&address) {
                state.subscribed.insert(address.clone());
                more.push(address);
            } else if state.subscribed.remove(&address) {
                less.push(address);
            }
        }
        (more, less)
    }

    /// A new connection is subscribed to nothing.
    pub fn reset(&self) {
        let mut state = lock(&self.state);
        let State { wanted, subscribed, changed } = &mut *state;
        // Of apps that are gone.
        wanted.retain(|_, topics| topics.strong_count() > 0);
        subscribed.clear();
        *changed = wanted.keys().cloned().collect();
    }

    /// The topics of all apps.
    pub fn all(&self) -> Vec<Arc<dyn Receiver>> {
        let state = lock(&self.state);
        let mut all: Vec<_> = state.wanted.values().filter_map(Weak::upgrade).collect();
        drop(state);
        all.sort_by_key(|topics| Arc::as_ptr(topics).addr());
        all.dedup_by_key(|topics| Arc::as_ptr(topics).addr());
        all
    }
}
