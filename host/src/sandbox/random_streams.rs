//! Streams, WebSockets and topics under random sequences of calls, as a hostile guest makes them, beside a client that reads, writes
//! and leaves at random: nothing panics, what is held has bounds, and nothing is held afterwards.

use crate::quota::streams::StreamQuota;
use crate::sandbox::body_stream::{BodyClock, BodyStream};
use crate::sandbox::execution::Execution;
use crate::sandbox::socket::SocketTerms;
use crate::sandbox::streams_host::{Flowing, FlowingSocket, Streams};
use crate::sandbox::timer::GuestTimer;
use crate::sandbox::topics_host::Subscriptions;
use crate::topics::topic::Topics;
use crate::util::blocking::block_on;
use crate::util::random_choices::Choices;
use crate::websocket::message::{CloseFrame, Message};
use bytes::Bytes;
use futures_util::stream;
use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

/// Streams of the app.
const MOST: usize = 4;
/// Its memory for bodies, in bytes; streams have half of it.
const TRANSIT: usize = 512 * 1024;
/// Largest message, in bytes.
const MOST_MESSAGE: usize = 1000;

/// Make the calls that `data` describes.
pub fn make(data: &[u8]) -> Result<(), String> {
    block_on(calls(Choices(data)))
}

async fn calls(mut choices: Choices<'_>) {
    let (quota, timer, topics) =
        (StreamQuota::new(MOST, TRANSIT), Arc::<GuestTimer>::default(), Arc::<Topics>::default());
    let execution = Execution::alone();
    let mut streams = Streams::new(quota.clone(), Duration::from_millis(1), timer.clone());
    let mut subscriptions = Subscriptions::new(topics.clone(), MOST_MESSAGE, timer);
    let mut clients: HashMap<u64, Flowing> = HashMap::new();
    let mut cx = Context::from_waker(Waker::noop());
    while !choices.0.is_empty() {
        let request = choices.number();
        match choices.byte() % 20 {
            0 => drop(streams.open(request, &execution)),
            1 => {
                streams.offer(request, SocketTerms { deflate: None, most_message: MOST_MESSAGE });
                streams.open_socket(request, &execution);
            }
            2 => {
                let parts: Vec<_> =
                    (0..choices.byte() % 4).map(|_| Ok(Bytes::from(choices.text()))).collect();
                let body = BodyStream { parts: Box::pin(stream::iter(parts)), clock: BodyClock::start() };
                streams.take_body(request, body);
            }
            3 | 4 => clients.extend(streams.answered(request).map(|flowing| (request, flowing))),
            5 | 6 => drop(streams.write(request, choices.text())),
            7 => drop(streams.send(request, choices.byte().is_multiple_of(2), choices.text())),
            8 => drop(streams.receive(request)),
            9 => drop(streams.read(request)),
            10 => drop(streams.close(request, choices.byte().is_multiple_of(2))),
            11 => drop(streams.close_socket(request, u16::from(choices.byte()) << 5, &choices.text())),
            12 => streams.sleep(request),
            13 => drop(streams.attach(request, choices.text())),
            14 => drop(streams.take_news()),
            15 => drop(subscriptions.publish("a", String::new(), choices.text())),
            16 => drop(subscriptions.subscribe(["a", "b", ""][usize::from(choices.byte()) % 3], None)),
            17 => drop(subscriptions.next(request)),
            18 => {
                subscriptions.unsubscribe(request);
                if let Some(from) = subscriptions.start_here("a") {
                    streams.join(request, "a".to_owned(), from);
                    streams.leave(request, "b");
                }
            }
            _ => match clients.remove(&request) {
                Some(client) if !choices.byte().is_multiple_of(3) => {
                    let socket = match &client {
                        Flowing::Handler(reader) | Flowing::Socket(FlowingSocket { reader, .. }) => {
                            let _ = reader.poll(&mut cx);
                            if let Flowing::Socket(socket) = &client { Some(socket) } else { None }
                        }
                        Flowing::Proxied(_) | Flowing::Rows(_) => None,
                    };
                    if let Some(FlowingSocket { inbox, sleeper, .. }) = socket {
                        inbox.put(Message::Text(choices.text()));
                        let _ = inbox.poll_room(Waker::noop());
                        inbox.joined(Waker::noop());
                        sleeper.iter().for_each(|sleeper| streams.wake(request, sleeper, &execution));
                    }
                    clients.insert(request, client);
                }
                // It leaves.
                client => {
                    if let Some(Flowing::Socket(socket)) = client {
                        socket.inbox.close(CloseFrame { code: 1006, reason: String::new() });
                    }
                }
            },
        }
        assert!(quota.count() <= MOST, "{}", quota.count());
        // Inboxes hold what the connection has put there, which it asks about first.
        assert!(quota.held() <= TRANSIT * 8, "{}", quota.held());
        tokio::task::yield_now().await;
    }
    drop((streams, clients, subscriptions));
    assert_eq!((quota.count(), quota.held(), topics.counts().1), (0, 0, 0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_sequence_of_calls_panics_or_keeps_anything(data in prop::collection::vec(any::<u8>(), 0..600)) {
            prop_assert_eq!(make(&data), Ok(()));
        }
    }
}
