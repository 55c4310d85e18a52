//! Keeps the cache folder within its size, while apps are served.

use crate::apps::dormant::BuildState;
use crate::apps::registry::AppTable;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::sandbox::compile_cache::Artifact;
use crate::util::affinity;
use crate::util::cache_room::make_room;
use std::path::PathBuf;
use std::time::Duration;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(600);

/// Keep the folder within `most` bytes, on a thread that lives as long as the process. What is served stays, whatever its size.
pub fn keep(apps: AppTable, cache: PathBuf, most: u64) -> Result<(), String> {
    let work = move || {
        affinity::enter_background();
        loop {
            served(&apps).iter().for_each(Artifact::note_use);
            let removed = make_room(&cache, most);
            if removed > 0 {
                let limit = limit_name::of(Limit::CacheSize);
                tracing::info!("{} MB of the cache folder were removed ({limit})", removed / 1_000_000);
            }
            std::thread::sleep(LOOK);
        }
    };
    let thread = std::thread::Builder::new().name("cache".into());
    thread.spawn(work).map(|_| ()).map_err(|e| format!("the cache folder cannot be watched: {e}"))
}

/// The compiled code that a start of this host would use.
fn served(apps: &AppTable) -> Vec<Artifact> {
    let mut artifacts = Vec::new();
    for slot in apps.slots() {
        let loaded = slot.app().map(|app| app.component.image.clone());
        artifacts.extend(loaded.iter().filter_map(|image| image.parent()).map(Artifact::at));
        if let Some(BuildState::Ready(version)) = slot.as_dormant().map(|app| app.state()) {
            artifacts.push(version.artifact);
        }
    }
    let shared: Vec<_> = artifacts.iter().filter_map(Artifact::shared).collect();
    artifacts.into_iter().chain(shared).collect()
}
