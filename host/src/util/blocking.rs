//! Async work on a thread that is no worker's: commands, builds, the reconciler.

/// Run a future to its end on the calling thread, in a runtime of its own. The error is a sentence.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|e| format!("the runtime cannot start: {e}"))?.block_on(work))
}
