//! Idle workers make the allocator return free memory to the system.
//!
//! An allocator returns memory only while it is used. After a hundred bodies of 1 MB, an idle host kept 74 to 87 MiB,
//! and 10 MiB after some thousand small requests. Since idle workers trim, it keeps 8 MiB.

use std::sync::OnceLock;

/// Returns memory that the calling thread and the process do not need. Unset in a library, which does not choose the
/// allocator.
static TRIM: OnceLock<fn()> = OnceLock::new();

/// Set the function that idle workers call on their own threads. Only the first call has an effect.
pub fn set_trim(trim: fn()) {
    let _ = TRIM.set(trim);
}

/// Trim now: a thread ends that has used much.
pub fn trim_now() {
    if let Some(trim) = TRIM.get() {
        trim();
    }
}

/// Trim in each of the first idle seconds, not just once: workers become idle together, and the allocator skips what
/// another thread is trimming.
const FIRST: u32 = 3;
/// After that, trim at this interval in seconds, because instances and connections end later.
const LATER: u32 = 10;

/// Trims memory while a worker is idle.
#[derive(Debug, Default)]
pub struct MemoryTrim {
    seconds: u32,
}

impl MemoryTrim {
    /// Call this once a second.
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
