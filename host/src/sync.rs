//! The one way to take a lock, and the one to wait where nothing else runs.

/// No code panics while it holds one of these locks, and the data stays whole if it did.
pub fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Do what is no worker's business, on this thread.
pub fn now<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|e| format!("the runtime cannot start: {e}"))?.block_on(work))
}
