//! Helpers that do not depend on apps, HTTP or WebAssembly: locks, thread affinity, memory, files, progress output.

pub mod affinity;
pub mod blocking;
pub mod cache_files;
pub mod cache_room;
#[cfg(feature = "build")]
pub mod child_process;
pub mod client_tls;
#[cfg(feature = "cli")]
pub mod confinement;
pub mod locks;
pub mod memory_trim;
pub mod printable;
pub mod progress;
#[cfg(any(test, feature = "internals"))]
pub mod random_choices;
pub mod self_wake;
pub mod server_thread;
pub mod tree;
pub mod trust;
