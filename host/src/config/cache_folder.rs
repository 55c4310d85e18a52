//! The default cache folder for builds and compiled code.

use std::path::PathBuf;

/// `$XDG_CACHE_HOME/bolt-host` or `~/.cache/bolt-host`. Errors are sentences for people.
pub fn user_cache() -> Result<PathBuf, String> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    root.map(|root| root.join("bolt-host"))
        .ok_or_else(|| "HOME is not set, so there is no folder to cache builds in: give --cache DIR".into())
}
