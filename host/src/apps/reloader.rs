//! The edit loop of `dev`: reloads an app from source whenever its files have changed.

use crate::apps::app::App;
use crate::apps::file_stamps::FileStamps;
use crate::apps::source_runner::Runner;
use crate::config::origin::Origin;
use crate::util::progress;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Mutex;

/// An app that follows its source files.
pub struct Reloader {
    runner: Runner,
    origin: Origin,
    state: Mutex<State>,
}

/// The files as last seen, and the outcome of loading them.
struct State {
    seen: FileStamps,
    outcome: Result<Arc<App>, String>,
}

impl Reloader {
    /// Load the app for the first time. If it is broken, requests get the error until it is fixed.
    pub async fn new(runner: Runner, origin: Origin) -> Self {
        let seen = FileStamps::of_origin(&origin);
        let outcome = load(&runner, &origin).await;
        Self { runner, origin, state: Mutex::new(State { seen, outcome }) }
    }

    /// The app from its current files. The error is a message for its developer.
    pub async fn current(&self) -> Result<Arc<App>, String> {
        let mut state = self.state.lock().await;
        let now = FileStamps::of_origin(&self.origin);
        if now != state.seen {
            let start = Instant::now();
            let changed = state.seen.changes(&now);
            state.outcome = load(&self.runner, &self.origin).await;
            match &state.outcome {
                Ok(_) => progress::tell(format_args!(
                    "  {changed}: reloaded in {} ms",
                    start.elapsed().as_millis()
                )),
                Err(text) => progress::tell(format_args!("  {changed}: the app cannot be loaded\n{text}")),
            }
            state.seen = now;
        }
        state.outcome.clone()
    }
}

async fn load(runner: &Runner, origin: &Origin) -> Result<Arc<App>, String> {
    let app = runner.app_of(origin).await?;
    runner.load(&app, true).await.map(Arc::new)
}
