//! The connections of the admin endpoint: a bound on their number, and patience with slow clients.

use crate::util::locks::lock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Most connections at a time.
const MOST: usize = 128;

/// How long a client may take over the next part of a body, and over taking a response.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The open connections, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    next: u64,
    seats: BTreeMap<u64, Arc<Seat>>,
}

/// What a connection does now.
#[derive(Debug)]
struct Seat {
    /// A request of somebody who may ask is being answered.
    is_working: AtomicBool,
    /// When that changed.
    since: Mutex<Instant>,
    evicted: Notify,
}

/// A place among the connections; dropping it frees the place.
#[derive(Debug)]
pub struct Place {
    number: u64,
    seat: Arc<Seat>,
    connections: Connections,
}

impl Connections {
    /// A place for a new connection. If there is none, the oldest connection that answers nobody loses its own, so clients
    /// that connect and say nothing do not keep others out.
    pub fn enter(&self) -> Option<Place> {
        let mut open = lock(&self.0);
        if open.seats.len() >= MOST {
            let idle = |(_, seat): &(&u64, &Arc<Seat>)| !seat.is_working.load(Ordering::Relaxed);
            let (&oldest, seat) = open.seats.iter().find(idle)?;
            seat.evicted.notify_one();
            open.seats.remove(&oldest);
        }
        let (number, seat) = (open.next, Arc::new(Seat::new()));
        open.next += 1;
        open.seats.insert(number, seat.clone());
        Some(Place { number, seat, connections: self.clone() })
    }
}

impl Seat {
    fn new() -> Self {
        Self { is_working: AtomicBool::new(false), since: Mutex::new(Instant::now()), evicted: Notify::new() }
    }

    fn set(&self, is_working: bool) {
        self.is_working.store(is_working, Ordering::Relaxed);
        *lock(&self.since) = Instant::now();
    }

    fn left(&self) -> Duration {
        if self.is_working.load(Ordering::Relaxed) {
            return PATIENCE;
        }
        PATIENCE.saturating_sub(lock(&self.since).elapsed())
    }
}

impl Place {
    /// A request that may be answered has arrived.
    pub fn works(&self) {
        self.seat.set(true);
    }

    /// It has its response, which the client has to take now.
    pub fn rests(&self) {
        self.seat.set(false);
    }

    /// Return when the connection has to end: its place went to another one, or its client is too slow.
    pub async fn is_lost(&self) {
        loop {
            let left = self.seat.left();
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = self.seat.evicted.notified() => return,
                () = tokio::time::sleep(left) => {}
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.connections.0).seats.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn those_who_say_nothing_make_room_for_others() {
        let connections = Connections::default();
        let mut places: Vec<_> = (0..MOST).map(|_| connections.enter().unwrap()).collect();
        places[0].works();
        let next = connections.enter().unwrap();
        assert!(places[0].is_lost().now_or_never().is_none());
        assert!(places[1].is_lost().now_or_never().is_some());
        places.remove(1);
        places.iter().for_each(Place::works);
        next.works();
        assert!(connections.enter().is_none());
        next.rests();
        drop(next);
        assert!(connections.enter().is_some());
        drop(places);
        assert!(lock(&connections.0).seats.is_empty());
    }
}
