//! Memory budget for bodies in transit, in both directions. Each app has its own share, so slow clients use up only the
//! share of their own app.

use crate::error::Overload;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies up to this size are not counted, in bytes.
const SMALL: usize = 16 * 1024;
/// The unit of accounting, in bytes.
const UNIT: usize = 4096;

/// The share of one app, over all workers.
#[derive(Debug, Clone)]
pub struct BodyBudget {
    share: Arc<Semaphore>,
    units: usize,
}

impl BodyBudget {
    pub fn new(bytes: usize) -> Self {
        let units = (bytes / UNIT).min(Semaphore::MAX_PERMITS);
        Self { share: Arc::new(Semaphore::new(units)), units }
    }

    /// An empty reservation, for a body of unknown size.
    pub fn reserve(&self) -> BodyReservation {
        BodyReservation { share: self.share.clone(), bytes: 0, held: None }
    }

    /// Reserve `bytes`, once there is room for them; `None` if there never is.
    pub async fn room(&self, bytes: usize) -> Option<BodyReservation> {
        if !self.holds(bytes) {
            return None;
        }
        let mut reservation = self.reserve();
        if bytes > SMALL {
            let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
            reservation.held = Some(self.share.clone().acquire_many_owned(units).await.ok()?);
        }
        reservation.bytes = bytes;
        Some(reservation)
    }

    /// Whether a body of this size fits when there is no other.
    pub fn holds(&self, bytes: usize) -> bool {
        bytes <= SMALL || bytes.div_ceil(UNIT) <= self.units
    }

    /// Bytes that are reserved now.
    pub fn taken(&self) -> usize {
        (self.units - self.share.available_permits()) * UNIT
    }

    /// Attach a reservation to a body. It is held for as long as any slice of the body is in memory.
    pub fn keep(&self, body: Bytes) -> Result<Bytes, Overload> {
        if body.len() <= SMALL {
            return Ok(body);
        }
        let mut reservation = self.reserve();
        reservation.grow(body.len())?;
        Ok(reservation.attach(body))
    }

    /// The same for a body that is one of many on its connection: small ones count as well.
    pub fn keep_among_many(&self, body: Bytes) -> Result<Bytes, Overload> {
        if body.is_empty() || body.len() > SMALL {
            // A larger one has been counted.
            return Ok(body);
        }
        let mut reservation = self.reserve();
        reservation.hold(body.len())?;
        Ok(reservation.attach(body))
    }
}

/// A reserved part of an app's share, released on drop.
#[derive(Debug)]
pub struct BodyReservation {
    share: Arc<Semaphore>,
    bytes: usize,
    held: Option<OwnedSemaphorePermit>,
}

impl BodyReservation {
    /// Bytes that it is for.
    pub fn size(&self) -> usize {
        self.bytes
    }

    /// Hold the reservation for as long as any slice of `body` is in memory.
    pub fn attach(self, body: Bytes) -> Bytes {
        if self.held.is_none() {
            return body;
        }
        Bytes::from_owner(Kept { body, _reservation: self })
    }

    /// Reserve `bytes` more for the body.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Overload> {
        self.bytes += bytes;
        if self.bytes <= SMALL {
            return Ok(());
        }
        self.hold(self.bytes)
    }

    /// Hold room for so many bytes, whatever is small.
    fn hold(&mut self, bytes: usize) -> Result<(), Overload> {
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(UNIT).saturating_sub(held);
        let more = u32::try_from(more).map_err(|_| Overload::Transit)?;
        let taken = self.share.clone().try_acquire_many_owned(more).map_err(|_| Overload::Transit)?;
        match &mut self.held {
            Some(held) => held.merge(taken),
            None => self.held = Some(taken),
        }
        Ok(())
    }
}

/// A body and its reservation.
struct Kept {
    body: Bytes,
    _reservation: BodyReservation,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn what_is_on_its_way_is_bounded_and_given_back() {
        let transit = BodyBudget::new(2 * MIB);
        let first = transit.keep(vec![1; MIB].into()).unwrap();
        let mut arriving = transit.reserve();
        for _ in 0..MIB / 1000 {
            arriving.grow(1000).unwrap();
        }
        assert_eq!(transit.keep(vec![1; MIB].into()), Err(Overload::Transit));
        assert_eq!(arriving.grow(MIB), Err(Overload::Transit));
        let part = first.slice(5..10);
        drop((first, arriving));
        assert!(transit.keep(vec![1; MIB].into()).is_ok());
        assert_eq!(
            transit.keep(vec![1; 2 * MIB].into()),
            Err(Overload::Transit),
            "a part of the first is in use"
        );
        drop(part);
        assert!(transit.keep(vec![1; 2 * MIB].into()).is_ok());
    }

    #[tokio::test]
    async fn who_waits_for_room_gets_it_and_what_never_fits_does_not_wait() {
        let transit = BodyBudget::new(2 * MIB);
        let taken = transit.room(2 * MIB).await.unwrap();
        assert!(transit.room(2 * MIB + 1).await.is_none() && !transit.holds(2 * MIB + 1));
        let waiting = tokio::spawn({
            let transit = transit.clone();
            async move { transit.room(MIB).await.unwrap().attach(vec![1; MIB].into()) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(taken);
        let body = waiting.await.unwrap();
        assert_eq!((transit.taken(), body.len()), (MIB, MIB));
        drop(body);
        assert_eq!(transit.taken(), 0);
        assert!(BodyBudget::new(0).room(SMALL).await.is_some());
    }

    #[test]
    fn small_bodies_are_not_counted() {
        let transit = BodyBudget::new(0);
        assert!(transit.keep(vec![1; SMALL].into()).is_ok());
        assert!(transit.reserve().grow(SMALL).is_ok());
        assert_eq!(transit.reserve().grow(SMALL + 1), Err(Overload::Transit));
    }

    #[test]
    fn small_bodies_among_many_are_counted() {
        let transit = BodyBudget::new(2 * UNIT);
        let first = transit.keep_among_many(vec![1; 10].into()).unwrap();
        let second = transit.keep_among_many(vec![1; UNIT].into()).unwrap();
        assert_eq!(transit.keep_among_many(vec![1].into()), Err(Overload::Transit));
        assert_eq!(transit.keep_among_many(Bytes::new()), Ok(Bytes::new()));
        drop((first, second));
        assert!(transit.keep_among_many(vec![1; 2 * UNIT].into()).is_ok());
        assert_eq!(transit.taken(), 0);
    }
}
