//! Runs async work on threads that are not workers: commands, builds, the reconciler.

/// Run a future to completion on the calling thread, in its own runtime. Errors are sentences for people.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|e| format!("the runtime cannot start: {e}"))?.block_on(work))
}
