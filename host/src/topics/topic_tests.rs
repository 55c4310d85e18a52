//! Topics of one host.

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
    let mut many: Vec<_> = (0..100).map(|_| topics.subscribe("a", Start::Now).unwrap()).collect();
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
    let mut back = topics.subscribe("a", Start::After(id - 1)).unwrap();
    assert_eq!(data(&mut back).await, "1");
    assert!(back.poll_next(Waker::noop()).is_pending());
    let mut old = topics.subscribe("a", Start::After(5)).unwrap();
    assert_eq!((data(&mut old).await, data(&mut old).await), ("0".to_owned(), "1".to_owned()));
    let mut ahead = topics.subscribe("a", Start::After(u64::MAX)).unwrap();
    assert!(ahead.poll_next(Waker::noop()).is_pending());
    drop((many, back, old, ahead));
    assert_eq!(topics.counts(), (2, 0));
}

#[tokio::test]
async fn what_is_kept_has_bounds() {
    let topics = Arc::<Topics>::default();
    let mut slow = topics.subscribe("a", Start::Now).unwrap();
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
        assert!(topics.subscribe(wrong, Start::Now).is_err());
    }
    assert!(topics.publish("a", "a\nb".to_owned(), String::new()).is_err());
}

#[test]
fn events_are_encoded_for_streams_and_sockets() {
    let event = |kind: &str, data: &str| Event::new(7, kind.to_owned(), data.to_owned());
    assert_eq!(event("", "1").sse(), "data: 1\nid: 7\n\n");
    assert_eq!(event("k", "{\"a\":1}").sse(), "event: k\ndata: {\"a\":1}\nid: 7\n\n");
    assert_eq!(event("", "\"a\\nb\"").frame(), &b"\x81\x03a\nb"[..]);
    assert_eq!(event("", "[1]").frame(), &b"\x81\x03[1]"[..]);
}
