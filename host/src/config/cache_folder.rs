//! The default folders for what the host keeps: builds and compiled code, which it can make again, and deployed versions.

use std::path::PathBuf;

/// `$XDG_CACHE_HOME/bolt-host` or `~/.cache/bolt-host`. Errors are sentences for people.
pub fn user_cache() -> Result<PathBuf, String> {
    folder("XDG_CACHE_HOME", ".cache")
        .ok_or_else(|| "HOME is not set, so there is no folder to cache builds in: give --cache DIR".into())
}

/// `$XDG_STATE_HOME/bolt-host` or `~/.local/state/bolt-host`. Errors are sentences for people.
pub fn user_state() -> Result<PathBuf, String> {
    folder("XDG_STATE_HOME", ".local/state").ok_or_else(|| {
        "HOME is not set, so there is no folder to keep deployed versions in: give --versions DIR".into()
    })
}

fn folder(variable: &str, at_home: &str) -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = set(variable).or_else(|| set("HOME").map(|home| home.join(at_home)));
    root.map(|root| root.join("bolt-host"))
}
