//! The one way to take a lock.

/// No code panics while it holds one of these locks, and the data stays whole if it did.
pub fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
