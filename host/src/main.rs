//! The program: its allocator, and the way into [`bolt_host::cli`].

use std::process::ExitCode;

/// Requests allocate and free many small pieces on every worker: measured against the system's allocator, see
/// `benches/runs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Have the allocator give back what this thread, and the process, do not need.
#[allow(unsafe_code)]
fn trim_memory() {
    // SAFETY: both may be called at any time, in any thread. SQLite has memory of the C library.
    unsafe {
        libmimalloc_sys::mi_collect(true);
        #[cfg(target_env = "gnu")]
        libc::malloc_trim(0);
    }
}

fn main() -> ExitCode {
    // The allocator asks for pages of 2 MiB where the system leaves it to programs. To clear one of them took 8 to 17 ms, in
    // one of ten first answers of an app, and most of it stayed empty.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    bolt_host::cli::main(trim_memory)
}
