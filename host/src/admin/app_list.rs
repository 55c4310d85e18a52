//! The state of an app, as `/apps` shows it.

use crate::apps::dormant::{BuildState, Version};
use crate::apps::slot::Slot;
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

pub fn describe(slot: &Slot) -> serde_json::Value {
    let app = slot.app();
    let counts: Vec<_> = app.iter().flat_map(|app| app.pools().map(|pool| pool.counts())).collect();
    let in_flight = app.iter().flat_map(|app| app.counters());
    let mut shown = serde_json::json!({
        "app": slot.name,
        "loaded": app.is_some(),
        "instances": counts.iter().map(|now| now.idle + now.busy + now.leaving).sum::<usize>(),
        "queued": counts.iter().map(|now| now.queued).sum::<usize>(),
        "in_flight": in_flight.map(|stats| stats.in_flight.load(Ordering::Relaxed)).sum::<usize>(),
    });
    if let (Some(stored), Some(shown)) = (slot.as_dormant(), shown.as_object_mut()) {
        let tenant = &stored.tenant;
        shown.insert("source".into(), tenant.origin.path.display().to_string().into());
        shown.insert("hosts".into(), tenant.mount.hosts.clone().into());
        shown.insert("prefix".into(), format!("{}/", tenant.mount.prefix).into());
        let (state, version, problem) = match stored.state() {
            BuildState::Unbuilt => ("unbuilt", None, None),
            BuildState::Ready(version) => ("ready", Some(version), stored.refused()),
            BuildState::Broken(why) => ("broken", None, Some(why)),
        };
        shown.insert("state".into(), state.into());
        shown.insert("problem".into(), problem.into());
        let since = |version: &Version| Some(version.since.duration_since(UNIX_EPOCH).ok()?.as_secs());
        shown.insert("since".into(), version.as_ref().and_then(since).into());
        shown.insert("version".into(), version.map(|version| version.id).into());
    }
    shown
}
