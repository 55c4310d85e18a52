//! The edit loop: whoever asks for the app gets it as its files are at that moment.

use crate::app::App;
use crate::progress;
use crate::runner::Runner;
use crate::source::{AppRef, sources};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::sync::Mutex;

/// An app and its files.
pub struct Reloader {
    runner: Runner,
    app: AppRef,
    state: Mutex<State>,
}

/// What came of the files as they were last seen.
struct State {
    seen: Snapshot,
    outcome: Result<Arc<App>, String>,
}

/// Time and size of each of an app's Python files.
type Snapshot = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Reloader {
    /// Load the app for the first time. It may be broken: then so is what requests get, until it is mended.
    pub async fn new(runner: Runner, app: AppRef) -> Self {
        let seen = snapshot(&app.folder);
        let outcome = runner.load(&app, true).await.map(Arc::new);
        Self { runner, app, state: Mutex::new(State { seen, outcome }) }
    }

    /// The app as it is now. The error is a text for its developer.
    pub async fn current(&self) -> Result<Arc<App>, String> {
        let mut state = self.state.lock().await;
        let now = snapshot(&self.app.folder);
        if now != state.seen {
            let start = Instant::now();
            let changed = changed(&state.seen, &now, &self.app.folder);
            state.outcome = self.runner.load(&self.app, true).await.map(Arc::new);
            match &state.outcome {
                Ok(_) => progress::tell(format_args!(
                    "  {changed}: reloaded in {} ms",
                    start.elapsed().as_millis()
                )),
                Err(text) => progress::tell(format_args!("  {changed}: it cannot be loaded\n{text}")),
            }
            state.seen = now;
        }
        state.outcome.clone()
    }
}

/// A folder that cannot be read looks empty; loading the app then says why.
fn snapshot(folder: &Path) -> Snapshot {
    let files = sources(folder).unwrap_or_default();
    let look = |path: PathBuf| {
        let meta = std::fs::metadata(&path).ok()?;
        Some((path, (meta.modified().ok(), meta.len())))
    };
    files.into_iter().filter_map(look).collect()
}

/// Names of what differs, for people.
fn changed(old: &Snapshot, new: &Snapshot, folder: &Path) -> String {
    let differs = |path: &&PathBuf| old.get(*path) != new.get(*path);
    let mut names: Vec<_> = old.keys().chain(new.keys()).filter(differs).collect();
    names.sort();
    names.dedup();
    let names: Vec<_> =
        names.iter().map(|path| path.strip_prefix(folder).unwrap_or(path).display().to_string()).collect();
    match names.as_slice() {
        [one, two, three, rest @ ..] if !rest.is_empty() => {
            format!("{one}, {two}, {three} and {} more", rest.len())
        }
        few => few.join(", "),
    }
}
