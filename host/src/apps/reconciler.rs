//! The reconciler: builds the apps of a host file that are not built, and replaces those whose files have changed.
//!
//! One thread looks at the files, others build, in child processes. So nothing is ever compiled on a worker's thread while requests
//! wait there, and an app that takes long to build keeps no other from its update.

use crate::apps::build_queue::{BuildQueue, Wanted};
use crate::apps::deployments::{publish, tried};
use crate::apps::dormant::{BuildState, DormantApp, Version};
use crate::apps::file_stamps::FileStamps;
use crate::apps::registry::AppTable;
use crate::apps::slot::Slot;
use crate::builder::refusal::Refusal;
use crate::util::affinity;
use crate::util::locks::lock;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How often files are checked.
const LOOK: Duration = Duration::from_secs(1);
/// Looking at the files of an app takes at most this part of a thread's time.
const SHARE: u32 = 20;

/// What the threads share.
struct Reconciler {
    apps: AppTable,
    queue: Mutex<BuildQueue>,
    /// Something was put into the queue.
    news: Condvar,
    began: Instant,
}

/// Reconcile all apps of the table, on threads that live as long as the process: one looks at the files, and `builders` build.
pub fn keep(apps: AppTable, builders: usize) -> Result<(), String> {
    let queue = Mutex::new(BuildQueue::new(builders));
    let shared = Arc::new(Reconciler { apps, queue, news: Condvar::new(), began: Instant::now() });
    let start = |name: &str, work: fn(&Reconciler)| {
        let shared = shared.clone();
        let thread = std::thread::Builder::new().name(name.into());
        let started = thread.spawn(move || {
            affinity::enter_background();
            work(&shared);
        });
        started.map(|_| ()).map_err(|e| format!("the reconciler cannot start: {e}"))
    };
    start("reconciler", Reconciler::watch)?;
    (0..builders).try_for_each(|_| start("builder", Reconciler::build))
}

impl Reconciler {
    fn watch(&self) {
        let mut due = vec![Instant::now(); self.apps.slots().len()];
        loop {
            for (app, slot) in self.apps.slots().iter().enumerate() {
                let start = Instant::now();
                if start < due[app] {
                    continue;
                }
                if let Some(wanted) = look(slot) {
                    lock(&self.queue).want(app, wanted, self.began.elapsed());
                    self.news.notify_one();
                }
                due[app] = start + (start.elapsed() * SHARE).max(LOOK);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn build(&self) {
        loop {
            let app = self.next();
            let start = Instant::now();
            let is_good = update(&self.apps.slots()[app]);
            lock(&self.queue).done(app, is_good, start.elapsed(), self.began.elapsed());
        }
    }

    /// Wait for an app to build.
    fn next(&self) -> usize {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(app) = queue.next(self.began.elapsed()) {
                return app;
            }
            // An app that rests tells nobody when it has rested.
            let waited = self.news.wait_timeout(queue, LOOK);
            queue = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(queue, _)| queue);
        }
    }
}

/// What has to be built, if a slot's files have changed since they were last built.
fn look(slot: &Slot) -> Option<Wanted> {
    let dormant = slot.as_dormant()?;
    // A build or a deployment holds this, and then updates the stamps itself. Other apps need not wait for it.
    let seen = dormant.try_seen()?;
    let now = FileStamps::of_origin(&dormant.tenant.origin);
    let state = dormant.state();
    if *seen == now && !matches!(state, BuildState::Unbuilt) {
        return None;
    }
    Some(Wanted { has_version: matches!(state, BuildState::Ready(_)), size: now.size() })
}

/// Prepare a slot's app from its current files, and serve it if it can be served; returns whether it can.
fn update(slot: &Slot) -> bool {
    let Some(dormant) = slot.as_dormant() else { return true };
    let Some(mut seen) = dormant.try_seen() else { return true };
    let now = FileStamps::of_origin(&dormant.tenant.origin);
    let state = dormant.state();
    if *seen == now && !matches!(state, BuildState::Unbuilt) {
        return true;
    }
    let name = &dormant.tenant.name;
    let refused = match state {
        // The first version need not be opened here: the first request opens it.
        BuildState::Unbuilt | BuildState::Broken(_) => match dormant.prepare() {
            Ok(version) => {
                dormant.set_state(BuildState::Ready(version));
                None
            }
            Err(why) => {
                tracing::error!(app = name, "the app cannot be served: {why}");
                dormant.set_state(BuildState::Broken(why.text.clone()));
                Some(why)
            }
        },
        BuildState::Ready(before) => match replace(slot, dormant) {
            Ok(version) => {
                dormant.set_refused(None);
                if version.id != before.id {
                    let version = version.id;
                    tracing::info!(
                        app = name,
                        version,
                        "its file has changed, and the new version is served"
                    );
                }
                None
            }
            Err(why) => {
                tracing::error!(app = name, "its file has changed and the old version goes on: {why}");
                dormant.set_refused(Some(why.text.clone()));
                Some(why)
            }
        },
    };
    let may_pass = refused.as_ref().is_some_and(|why| why.may_pass);
    *seen = if may_pass { FileStamps::unknown() } else { now };
    refused.is_none()
}

/// Build the current files, check that the result can be served, and publish it.
fn replace(slot: &Slot, dormant: &DormantApp) -> Result<Version, Refusal> {
    let version = dormant.prepare()?;
    let app = tried(dormant, &version)?;
    Ok(publish(slot, dormant, version, app)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::origin::{Origin, Tenant};
    use crate::sandbox::engine::engine;

    /// A deployment holds an app while it compiles. Other apps do not wait for that.
    #[test]
    fn an_app_that_is_being_deployed_is_left_alone() {
        let engine = engine(&Config { most_instances: 1, ..Config::default() }).unwrap();
        let origin = Origin { path: "/nowhere/app.wasm".into(), ..Origin::default() };
        let (mount, config) = Default::default();
        let tenant = Tenant { name: "app".to_owned(), origin, mount, config };
        let slot = Slot::dormant(DormantApp::new(tenant, engine, "/nowhere".into(), None));
        let dormant = slot.as_dormant().unwrap();
        let deploying = dormant.seen();
        assert!(look(&slot).is_none() && update(&slot));
        assert!(matches!(dormant.state(), BuildState::Unbuilt));
        drop(deploying);
        assert!(look(&slot).is_some_and(|wanted| !wanted.has_version) && !update(&slot));
        assert!(matches!(dormant.state(), BuildState::Broken(_)));
    }
}
