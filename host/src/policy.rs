//! Decisions about instances, apart from the mechanism: when one is retired, and which one serves next.

/// What is known of an instance when a request ends.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    pub served: u64,
    /// It was refused memory.
    pub exhausted: bool,
}

/// True when the instance must not serve another request.
pub fn retire(condition: Condition, max_requests: u64) -> bool {
    condition.exhausted || (max_requests > 0 && condition.served >= max_requests)
}

/// What is known of a concurrent instance when a request arrives.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Requests that it serves or that wait for it.
    pub in_flight: usize,
    /// It computes or blocks, and cannot take up anything else just now.
    pub busy: bool,
}

/// Where the next `async def` request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The instance of this index.
    Instance(usize),
    /// One that is yet to be made.
    New,
}

/// Requests that one interpreter takes up before another one is made. Its event loop is shared, so a queue
/// behind it costs latency; below this many the sharing is what saves memory.
const ENOUGH: usize = 2000;

/// Requests share the first instance that is not busy; when all are busy or full, a new one is made
/// while there may be more, and after that the least loaded one takes it.
pub fn choose(loads: impl Iterator<Item = Load> + Clone, most: usize) -> Choice {
    if let Some(index) = loads.clone().position(|load| !load.busy && load.in_flight < ENOUGH) {
        return Choice::Instance(index);
    }
    if loads.clone().count() < most {
        return Choice::New;
    }
    let least = loads.enumerate().min_by_key(|(_, load)| (load.busy, load.in_flight));
    least.map_or(Choice::New, |(index, _)| Choice::Instance(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(in_flight: usize, busy: bool) -> Load {
        Load { in_flight, busy }
    }

    #[test]
    fn requests_share_an_instance_until_it_is_busy() {
        let choose = |loads: &[Load], most| choose(loads.iter().copied(), most);
        assert_eq!(choose(&[], 1), Choice::New);
        assert_eq!(choose(&[load(5, false)], 4), Choice::Instance(0));
        assert_eq!(choose(&[load(5, true), load(1, false)], 4), Choice::Instance(1));
        assert_eq!(choose(&[load(1, true)], 4), Choice::New);
        assert_eq!(choose(&[load(9, true), load(3, true)], 2), Choice::Instance(1));
        assert_eq!(choose(&[load(ENOUGH, false)], 1), Choice::Instance(0));
    }

    #[test]
    fn an_instance_is_retired_when_it_is_worn_or_hurt() {
        assert!(!retire(Condition { served: 1_000_000, exhausted: false }, 0));
        assert!(retire(Condition { served: 10, exhausted: false }, 10));
        assert!(retire(Condition { served: 1, exhausted: true }, 0));
    }
}
