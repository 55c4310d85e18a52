//! What a worker does for its process when nobody has asked it for anything in a while: the allocator gives memory back.
//!
//! An allocator looks at what it could give back when it is used. After a hundred bodies of 1 MB a host had 74 to 87 MiB for
//! as long as nothing else came, 10 after some thousand small requests, and has 8 since it is told.

use std::sync::OnceLock;

/// How the process's allocator is told to give back what the calling thread does not need. A library has not chosen it.
static GIVE_BACK: OnceLock<fn()> = OnceLock::new();

/// Have workers call this, in their own threads, when they rest. The first one stays.
pub fn give_back_by(give_back: fn()) {
    let _ = GIVE_BACK.set(give_back);
}

/// What a worker rests with.
#[derive(Debug, Default)]
pub struct Rest {
    instances: Option<usize>,
}

impl Rest {
    /// Called once a second; `instances`: how many the worker has, when it is quiet. With those that end, more can go.
    pub fn beat(&mut self, instances: Option<usize>) {
        if instances.is_some()
            && instances != self.instances
            && let Some(give_back) = GIVE_BACK.get()
        {
            give_back();
        }
        self.instances = instances;
    }
}
