//! Small helpers that know nothing of apps, HTTP or WebAssembly: locks, threads and their cores, memory, files, progress.

pub mod affinity;
pub mod blocking;
pub mod cache_files;
pub mod locks;
pub mod memory_trim;
pub mod progress;
