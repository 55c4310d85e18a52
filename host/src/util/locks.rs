//! Locks mutexes, ignoring poison.

/// Poison can be ignored: no code panics while it holds one of these locks, and the data would stay consistent.
pub fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
