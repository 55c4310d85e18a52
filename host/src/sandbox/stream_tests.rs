//! Tests of both ends of a response that flows.

use super::*;
use crate::quota::streams::WINDOW;
use crate::sandbox::timer::GuestTimer;
use std::future::poll_fn;

fn ends(quota: &StreamQuota) -> (Outlet, StreamReader, Arc<News>) {
    let news = News::new(Arc::<GuestTimer>::default());
    let (outlet, reader) =
        pipe((7, false), quota, &news, &Execution::alone(), Duration::from_millis(1)).unwrap();
    (outlet, reader, news)
}

async fn next(reader: &StreamReader) -> Result<Bytes, StreamEnd> {
    poll_fn(|cx| reader.poll(cx)).await
}

#[tokio::test]
async fn chunks_arrive_in_order_and_small_ones_are_joined() {
    let (mut outlet, reader, _) = ends(&StreamQuota::new(1, 1 << 20));
    let large = "é".repeat(LARGE);
    for chunk in ["a", "b", "", &large, "c"] {
        assert_eq!(outlet.write(chunk.to_owned()), Taken::More);
    }
    outlet.end(StreamEnd::Complete);
    assert_eq!(next(&reader).await.unwrap(), "ab");
    assert_eq!(next(&reader).await.unwrap(), vec![0xe9; LARGE]);
    assert_eq!(next(&reader).await.unwrap(), "c");
    assert_eq!(next(&reader).await, Err(StreamEnd::Complete));
}

#[tokio::test]
async fn a_slow_client_stops_the_guest_and_wakes_it() {
    let quota = StreamQuota::new(1, 1 << 20);
    let (mut outlet, reader, news) = ends(&quota);
    let chunk = "x".repeat(MOST_CHUNK);
    let written = (0..).take_while(|_| outlet.write(chunk.clone()) == Taken::More).count();
    assert_eq!((written, quota.held()), (WINDOW / MOST_CHUNK, WINDOW));
    assert_eq!(next(&reader).await.unwrap().len(), MOST_PART);
    assert!(news.take().is_empty(), "the chunk has no room yet");
    assert_eq!(next(&reader).await.unwrap().len(), MOST_PART);
    assert_eq!(news.take(), [7]);
    assert_eq!(outlet.write(chunk), Taken::More);
    drop(reader);
    assert_eq!((quota.held(), outlet.write("x".to_owned())), (0, Taken::Gone));
    assert_eq!((news.take(), quota.count()), (vec![7], 1));
    drop(outlet);
    assert_eq!(quota.count(), 0);
}

#[tokio::test]
async fn streams_that_wait_for_the_apps_share_are_woken() {
    let quota = StreamQuota::new(2, 2 * MOST_CHUNK);
    let (mut first, reader, _) = ends(&quota);
    let (mut second, other, news) = ends(&quota);
    let chunk = "x".repeat(MOST_CHUNK);
    assert_eq!(first.write(chunk.clone()), Taken::More);
    assert_eq!(second.write(chunk.clone()), Taken::Full);
    assert_eq!(second.write("x".to_owned()), Taken::More, "a little is always taken");
    drop(reader);
    assert!(news.take().is_empty(), "there is room for all but a byte of it");
    assert_eq!(next(&other).await.unwrap(), "x");
    // What was taken counts until more is asked for.
    assert!(other.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(news.take(), [7]);
    assert_eq!(second.write(chunk), Taken::More);
}

#[tokio::test]
async fn what_is_no_chunk_and_an_instance_that_ends_break_the_response() {
    for chunk in ["x".repeat(MOST_CHUNK + 1), "\u{100}".to_owned()] {
        let (mut outlet, reader, _) = ends(&StreamQuota::new(1, 1 << 20));
        assert_eq!((outlet.write(chunk), outlet.write("x".to_owned())), (Taken::Gone, Taken::Gone));
        outlet.end(StreamEnd::Complete);
        assert_eq!(next(&reader).await, Err(StreamEnd::Failed));
    }
    let (outlet, reader, _) = ends(&StreamQuota::new(1, 1 << 20));
    drop(outlet);
    assert_eq!(next(&reader).await, Err(StreamEnd::Lost));
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_given_up() {
    let quota = StreamQuota::new(1, 1 << 20);
    let (mut outlet, reader, news) = ends(&quota);
    let patience = Duration::from_millis(30);
    reader.guard(Instant::now() + 10 * patience, patience);
    // Without anything to take, a client is patient.
    tokio::time::sleep(3 * patience).await;
    assert_eq!(outlet.write("x".to_owned()), Taken::More);
    while quota.count() > 0 {
        tokio::time::sleep(patience).await;
    }
    assert_eq!((outlet.write("x".to_owned()), quota.held()), (Taken::Gone, 0));
    assert_eq!((news.take(), next(&reader).await), (vec![7], Err(StreamEnd::Lost)));
}

#[tokio::test]
async fn a_guest_that_does_not_end_after_its_client_loses_its_instance() {
    let news = News::new(Arc::<GuestTimer>::default());
    let execution = Execution::alone();
    let quota = StreamQuota::new(1, 0);
    let (_outlet, reader) = pipe((7, false), &quota, &news, &execution, Duration::from_millis(1)).unwrap();
    drop(reader);
    execution.overstayed.notified().await;
}
