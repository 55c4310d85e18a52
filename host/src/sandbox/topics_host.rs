//! The subscriptions of one instance, by the numbers that its guest knows them by.

use crate::sandbox::bindings::bolt::host::topics::{Event, Published};
use crate::sandbox::news::{News, Progress};
use crate::sandbox::timer::GuestTimer;
use crate::topics::topic::{Next, Start, Subscription, Topics};
use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// Subscriptions of an instance.
const MOST: usize = 100;
/// The number of every subscription beyond that.
const REFUSED: u64 = 0;

pub struct Subscriptions {
    topics: Arc<Topics>,
    /// Largest event, in bytes.
    most_message: usize,
    open: HashMap<u64, Open>,
    last: u64,
    news: Arc<News>,
}

/// A subscription, and what tells the guest of its events.
struct Open {
    subscription: Subscription,
    progress: Arc<Progress>,
    waker: Waker,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.progress.end();
    }
}

impl Subscriptions {
    /// `timer` rings when there is an event.
    pub fn new(topics: Arc<Topics>, most_message: usize, timer: Arc<GuestTimer>) -> Self {
        Self { topics, most_message, open: HashMap::new(), last: REFUSED, news: News::new(timer) }
    }

    pub fn publish(&self, topic: &str, kind: String, data: String) -> Published {
        if data.len() + kind.len() > self.most_message {
            return Published::Refused(format!("an event has at most {} bytes", self.most_message));
        }
        match self.topics.publish(topic, kind, data) {
            Ok(id) => Published::Id(id),
            Err(why) => Published::Refused(why),
        }
    }

    pub fn subscribe(&mut self, topic: &str, after: Option<u64>) -> u64 {
        if self.open.len() >= MOST {
            return REFUSED;
        }
        let from = after.map_or(Start::Now, Start::After);
        let Ok(subscription) = self.topics.subscribe(topic, from) else { return REFUSED };
        self.last += 1;
        let progress = Progress::new(self.last, self.news.clone());
        let waker = Waker::from(progress.clone());
        self.open.insert(self.last, Open { subscription, progress, waker });
        self.last
    }

    pub fn next(&mut self, subscription: u64) -> Event {
        let Some(open) = self.open.get_mut(&subscription) else { return Event::Pending };
        match open.subscription.poll_next(&open.waker) {
            Poll::Pending => Event::Pending,
            Poll::Ready(Next::Missed(count)) => Event::Missed(count),
            Poll::Ready(Next::Event(event)) => {
                Event::Data((event.id, event.kind.clone(), event.data.clone()))
            }
        }
    }

    /// Where a subscriber begins that wants what is published from here on, if there is room for the topic.
    pub fn start_here(&self, topic: &str) -> Option<Start> {
        self.topics.start_here(topic).ok()
    }

    pub fn unsubscribe(&mut self, subscription: u64) {
        self.open.remove(&subscription);
    }

    pub fn take_news(&self) -> Vec<u64> {
        self.news.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_guest_has_few_subscriptions_and_hears_of_their_events() {
        let topics = Arc::<Topics>::default();
        let timer = Arc::<GuestTimer>::default();
        let mut guest = Subscriptions::new(topics.clone(), 10, timer);
        let numbers: Vec<_> = (0..=MOST).map(|_| guest.subscribe("a", None)).collect();
        assert_eq!((numbers[0], numbers[MOST - 1], numbers[MOST]), (1, MOST as u64, REFUSED));
        for number in &numbers {
            assert!(matches!(guest.next(*number), Event::Pending));
        }
        guest.unsubscribe(1);
        let published = guest.publish("a", String::new(), "1".to_owned());
        assert!(matches!(published, Published::Id(_)));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let news = guest.take_news();
        assert_eq!((news[0], news.len()), (2, MOST - 1));
        assert!(matches!(guest.next(2), Event::Data((_, _, data)) if data == "1"));
        assert!(matches!(guest.next(1), Event::Pending));
        let large = guest.publish("a", String::new(), "12345678901".to_owned());
        assert!(matches!(large, Published::Refused(_)));
        drop(guest);
        assert_eq!(topics.counts(), (1, 0));
    }
}
