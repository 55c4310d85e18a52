//! A quiet worker has the allocator give memory back to the system.
//!
//! An allocator looks at what it could give back when it is used. After a hundred bodies of 1 MB a host had 74 to 87 MiB for
//! as long as nothing else came, 10 after some thousand small requests, and has 8 since quiet workers tell it.

use std::sync::OnceLock;

/// Has the allocator give back what the calling thread, and the process, do not need. A library has not chosen the allocator.
static TRIM: OnceLock<fn()> = OnceLock::new();

/// Have workers call this, in their own threads, while they are quiet. The first one stays.
pub fn set_trim(trim: fn()) {
    let _ = TRIM.set(trim);
}

/// Quiet seconds in each of which the allocator is told: workers become quiet at the same time, and one that finds another
/// one at it passes.
const FIRST: u32 = 3;
/// Then it is told once in so many seconds: instances end later, and connections.
const LATER: u32 = 10;

/// How long a worker has been quiet.
#[derive(Debug, Default)]
pub struct MemoryTrim {
    seconds: u32,
}

impl MemoryTrim {
    /// Called once a second.
    pub fn tick(&mut self, is_quiet: bool) {
        self.seconds = if is_quiet { self.seconds.saturating_add(1) } else { 0 };
        if is_quiet
            && (self.seconds <= FIRST || self.seconds.is_multiple_of(LATER))
            && let Some(trim) = TRIM.get()
        {
            trim();
        }
    }
}
