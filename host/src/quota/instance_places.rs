//! The instances that the host can have at a time, and each app's share of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An app with fewer instances than this may use the places that are kept free.
const SMALL: usize = 4;

/// Part of all places that is kept free for small apps: one in so many. However many instances one app asks for, by however
/// many pools, another one finds places for its first requests.
const KEPT_FREE: usize = 4;

/// There is no place for another instance of this app now.
#[derive(Debug, thiserror::Error)]
#[error("all instances of the host are busy, or this app has its share of them")]
pub struct NoPlace;

/// The places of a host.
#[derive(Debug)]
pub struct InstancePlaces {
    most: usize,
    taken: Arc<AtomicUsize>,
}

/// The place of one instance, until it is dropped.
#[derive(Debug)]
pub struct InstancePlace {
    all: Arc<AtomicUsize>,
    own: Arc<AtomicUsize>,
}

impl InstancePlaces {
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Arc::default() })
    }

    /// Take a place for an app that has `own` instances.
    pub fn take(&self, own: &Arc<AtomicUsize>) -> Option<InstancePlace> {
        // Counted first, so that two who ask at a time do not both get the last place.
        let place = InstancePlace { all: self.taken.clone(), own: own.clone() };
        let had = own.fetch_add(1, Ordering::Relaxed);
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        let most = if had < SMALL { self.most } else { self.most - self.most / KEPT_FREE };
        (taken < most).then_some(place)
    }
}

impl Drop for InstancePlace {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
        self.own.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_app_cannot_have_the_places_of_all() {
        let places = InstancePlaces::new(16);
        let (greedy, modest) = (Arc::default(), Arc::default());
        let mut taken: Vec<_> = std::iter::from_fn(|| places.take(&greedy)).collect();
        assert_eq!((taken.len(), greedy.load(Ordering::Relaxed)), (12, 12));
        let few: Vec<_> = std::iter::from_fn(|| places.take(&modest)).collect();
        assert_eq!(few.len(), 4);
        // Places that are given back can be taken again.
        drop(few);
        taken.truncate(10);
        assert_eq!(std::iter::from_fn(|| places.take(&greedy)).collect::<Vec<_>>().len(), 2);
    }

    #[test]
    fn a_host_for_a_single_instance_has_one() {
        let (places, app) = (InstancePlaces::new(1), Arc::default());
        let only = places.take(&app);
        assert!(only.is_some() && places.take(&app).is_none());
    }
}
