//! Deployments: a version of an app is tried, kept in its store, and served in place of the one before.

use crate::apps::app::App;
use crate::apps::dormant::{DormantApp, Version};
use crate::apps::file_stamps::FileStamps;
use crate::apps::slot::Slot;
use crate::apps::version_store::{Record, VersionStore};
use crate::sandbox::execution::Execution;
use crate::sandbox::http_client::HttpClient;
use crate::sandbox::instance::Instance;
use crate::util::blocking::block_on;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What stands for the app's own file where a version is named.
pub const FILE: &str = "file";

/// Load a version, and check that an instance of it starts.
pub fn tried(dormant: &DormantApp, version: &Version) -> Result<App, String> {
    let app = dormant.open(version).map_err(|e| e.to_string())?;
    let making = Instance::new(&app.component, Execution::alone(), HttpClient::new(Arc::default()));
    block_on(making)?.map_err(|e| format!("no instance of it can be created: {e:#}"))?;
    Ok(app)
}

/// Serve a version that was tried.
pub fn publish(slot: &Slot, dormant: &DormantApp, version: Version, app: App) -> Result<Version, String> {
    block_on(slot.publish(dormant, version.clone(), app))?;
    Ok(version)
}

/// Serve the component `incoming`, if it can be served, and keep it in the store, where it already is under a name for the time being.
pub fn deploy(slot: &Slot, incoming: &Path) -> Result<Version, String> {
    let (dormant, store) = own_component(slot)?;
    let mut seen = dormant.seen();
    let mut record = unpinned(slot, store)?;
    // Its name here means nothing to the user.
    let unnamed = |why: String| why.replace(&format!("{}: ", incoming.display()), "");
    // Tried before it is kept, so that a broken one never replaces a good one.
    let version = dormant.prepare_file(incoming).map_err(|why| unnamed(why.text))?;
    let app = tried(dormant, &version).map_err(unnamed)?;
    store.keep(incoming, &version.id)?;
    let replaced = record.current.clone().unwrap_or_else(|| FILE.to_owned());
    add(dormant, store, &mut record, &version.id)?;
    *seen = FileStamps::of_origin(&dormant.tenant.origin);
    tracing::info!(app = slot.name, version = version.id, replaced, "a version was deployed");
    publish(slot, dormant, version, app)
}

/// Serve the version before the one that is served, or the version `to`.
pub fn roll_back(slot: &Slot, to: Option<&str>) -> Result<Version, String> {
    let (dormant, store) = own_component(slot)?;
    let mut seen = dormant.seen();
    let mut record = unpinned(slot, store)?;
    let target = match to {
        None => record.earlier().ok_or("it has its own file, and no version before it")?,
        Some(name) => named(&record, name)?,
    };
    let version = change(slot, (dormant, store), &mut record, target)?;
    *seen = FileStamps::of_origin(&dormant.tenant.origin);
    tracing::info!(app = slot.name, version = version.id, "the app was rolled back");
    Ok(version)
}

/// Serve a version, the current one if none is named, until [`unpin`], whatever is deployed and put in the place of its file.
pub fn pin(slot: &Slot, version: Option<&str>) -> Result<String, String> {
    let (dormant, store) = own_component(slot)?;
    let mut seen = dormant.seen();
    let mut record = store.read()?;
    let target = match version {
        None => record.current.clone(),
        Some(name) => named(&record, name)?,
    };
    if target != record.current {
        change(slot, (dormant, store), &mut record, target)?;
    }
    record.pinned = true;
    let id = match &record.current {
        Some(id) => {
            let id = id.clone();
            // The file that it was chosen beside stays known: one that replaced it meanwhile is served after `unpin`.
            store.write(&record)?;
            id
        }
        None => {
            // The operator may replace the file, so the store gets a copy of it.
            let own = dormant.own_file()?;
            let incoming = incoming(slot)?;
            std::fs::copy(&dormant.tenant.origin.path, &incoming).map_err(|e| e.to_string())?;
            store.keep(&incoming, &own)?;
            add(dormant, store, &mut record, &own)?;
            own
        }
    };
    *seen = FileStamps::of_origin(&dormant.tenant.origin);
    tracing::info!(app = slot.name, version = id, "the app is pinned to a version");
    Ok(id)
}

/// Let deployments and files replace the version again.
pub fn unpin(slot: &Slot) -> Result<(), String> {
    let (dormant, store) = own_component(slot)?;
    let mut seen = dormant.seen();
    let mut record = store.read()?;
    record.pinned = false;
    store.write(&record)?;
    // Its file may have changed meanwhile.
    *seen = FileStamps::unknown();
    tracing::info!(app = slot.name, "the app is no longer pinned");
    Ok(())
}

/// Remove the oldest deployed versions until `keep` are left; returns those that went.
pub fn prune(slot: &Slot, keep: usize) -> Result<Vec<String>, String> {
    let (dormant, store) = own_component(slot)?;
    let _alone = dormant.seen();
    let mut record = store.read()?;
    let gone = record.prune(keep);
    store.write(&record)?;
    store.remove(&gone);
    Ok(gone)
}

/// What the store of an app says.
pub fn record(slot: &Slot) -> Result<Record, String> {
    own_component(slot)?.1.read()
}

/// A new name for a component that is to be deployed.
pub fn incoming(slot: &Slot) -> Result<PathBuf, String> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (_, store) = own_component(slot)?;
    let made = store.incoming(NEXT.fetch_add(1, Ordering::Relaxed));
    made.map_err(|e| format!("the folder of its versions cannot be made: {e} (--versions)"))
}

/// Serve a version that is in the store, or the app's own file.
fn change(
    slot: &Slot,
    (dormant, store): (&DormantApp, &VersionStore),
    record: &mut Record,
    target: Option<String>,
) -> Result<Version, String> {
    let file = match &target {
        Some(id) => store.component(id),
        None => dormant.tenant.origin.path.clone(),
    };
    let version = dormant.prepare_file(&file)?;
    let app = tried(dormant, &version)?;
    record.current = target;
    settle(dormant, store, record)?;
    publish(slot, dormant, version, app)
}

/// Choose a version that was put into the store, in which the oldest make room for it.
fn add(dormant: &DormantApp, store: &VersionStore, record: &mut Record, id: &str) -> Result<(), String> {
    record.add(id, now());
    let gone = record.prune(dormant.tenant.config.limits.kept_versions);
    settle(dormant, store, record)?;
    store.remove(&gone);
    Ok(())
}

/// Store a record in which a version was chosen.
fn settle(dormant: &DormantApp, store: &VersionStore, record: &mut Record) -> Result<(), String> {
    // Without a file there is nothing that could replace the version.
    record.file = dormant.own_file().unwrap_or_default();
    store.write(record)
}

fn unpinned(slot: &Slot, store: &VersionStore) -> Result<Record, String> {
    let record = store.read()?;
    if record.pinned {
        let (name, id) = (&slot.name, record.current.as_deref().unwrap_or(FILE));
        return Err(format!("it is pinned to version {id}: `bolt-host unpin {name}` lets others replace it"));
    }
    Ok(record)
}

/// The version that a user names, by the start of its ID.
fn named(record: &Record, name: &str) -> Result<Option<String>, String> {
    if name == FILE {
        return Ok(None);
    }
    let mut found = record.deployed.iter().filter(|version| version.id.starts_with(name));
    match (found.next(), found.next()) {
        (Some(one), None) if !name.is_empty() => Ok(Some(one.id.clone())),
        (Some(_), Some(_)) => Err(format!("more than one version begins with {name:?}")),
        _ => Err(format!("there is no version {name:?}: `bolt-host versions` lists them")),
    }
}

fn own_component(slot: &Slot) -> Result<(&DormantApp, &VersionStore), String> {
    const ELSEWHERE: &str = "this app does not come from a host file";
    let dormant = slot.as_dormant().ok_or(ELSEWHERE)?;
    let path = &dormant.tenant.origin.path;
    if dormant.tenant.origin.is_python() {
        return Err(format!(
            "{} is built from {}: edit that, or name a .wasm file as its source",
            slot.name,
            path.display()
        ));
    }
    Ok((dormant, dormant.store.as_ref().ok_or(ELSEWHERE)?))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
