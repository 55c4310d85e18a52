//! What a worker does for its process when nobody has asked it for anything in a while: the allocator gives memory back.
//!
//! An allocator looks at what it could give back when it is used. After a hundred bodies of 1 MB a host had 74 to 87 MiB for
//! as long as nothing else came, 10 after some thousand small requests, and has 8 since it is told.

use std::sync::OnceLock;

/// How the allocator is told to give back what the calling thread, and the process, do not need. A library has not chosen
/// it.
static GIVE_BACK: OnceLock<fn()> = OnceLock::new();

/// Have workers call this, in their own threads, when they rest. The first one stays.
pub fn give_back_by(give_back: fn()) {
    let _ = GIVE_BACK.set(give_back);
}

/// Beats of a rest in which it is told each time: workers rest at the same time, and one that finds another one at it passes.
const FIRST: u32 = 3;
/// Then it is told after so many: instances end, and connections.
const LATER: u32 = 10;

/// How long a worker has rested, in beats.
#[derive(Debug, Default)]
pub struct Rest {
    beats: u32,
}

impl Rest {
    /// Called once a second.
    pub fn beat(&mut self, is_quiet: bool) {
        self.beats = if is_quiet { self.beats.saturating_add(1) } else { 0 };
        if is_quiet
            && (self.beats <= FIRST || self.beats.is_multiple_of(LATER))
            && let Some(give_back) = GIVE_BACK.get()
        {
            give_back();
        }
    }
}
