//! Keeps the apps of a host file as their files are: builds what is not built, and replaces what has changed.
//!
//! One thread does it, beside the workers, so nothing is ever compiled while a request waits on its thread.

use crate::app::App;
use crate::artifact;
use crate::aside;
use crate::guest::Instance;
use crate::outbound::Outbound;
use crate::slot::Slot;
use crate::source::sources;
use crate::stored::{State, Stored, Version};
use crate::sync::now;
use crate::table::AppTable;
use crate::vitals::Vitals;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// See to all apps of the table for as long as the process lives.
pub fn keep(apps: AppTable) -> Result<(), String> {
    let thread = std::thread::Builder::new().name("keeper".into());
    let keeping = move || {
        aside::give_way();
        loop {
            apps.slots().iter().for_each(|slot| look(slot));
            std::thread::sleep(LOOK);
        }
    };
    thread.spawn(keeping).map(|_| ()).map_err(|e| format!("the apps cannot be kept: {e}"))
}

/// Time and size of each file that an app is made of.
pub type Stamp = Vec<(PathBuf, Option<SystemTime>, u64)>;

fn stamp(stored: &Stored) -> Stamp {
    let origin = &stored.tenant.origin;
    let files = match origin.app_ref() {
        Ok(app) if origin.is_python() => sources(&app.folder).unwrap_or_default(),
        _ => vec![origin.path.clone()],
    };
    let look = |path: PathBuf| {
        let meta = fs::metadata(&path).ok();
        let size = meta.as_ref().map_or(0, fs::Metadata::len);
        (path, meta.and_then(|meta| meta.modified().ok()), size)
    };
    files.into_iter().map(look).collect()
}

/// Prepare a slot's app if its files have changed since they were last looked at.
fn look(slot: &Slot) {
    let Some(stored) = slot.kept() else { return };
    let mut seen = stored.seen();
    let now = stamp(stored);
    if *seen == now && !matches!(stored.state(), State::Unbuilt) {
        return;
    }
    *seen = now;
    let name = &stored.tenant.name;
    match stored.state() {
        // What is first found need not be opened: whoever asks first does.
        State::Unbuilt | State::Broken(_) => match stored.prepare() {
            Ok(version) => stored.is_now(State::Ready(version)),
            Err(why) => {
                tracing::error!(app = name, "it cannot be served: {why}");
                stored.is_now(State::Broken(why));
            }
        },
        State::Ready(before) => match replace(slot, stored) {
            Ok(version) if version.id == before.id => {}
            Ok(version) => tracing::info!(app = name, version = version.id, "its file has changed: replaced"),
            Err(why) => {
                tracing::error!(app = name, "its file has changed and the old version goes on: {why}");
            }
        },
    }
}

/// Build what the files are now, see whether it can be served, and let it take over.
fn replace(slot: &Slot, stored: &Stored) -> Result<Version, String> {
    let version = stored.prepare()?;
    let app = tried(stored, &version)?;
    publish(slot, stored, version, app)
}

/// A version that was seen to start.
fn tried(stored: &Stored, version: &Version) -> Result<App, String> {
    let app = stored.open(version)?;
    let made = now(Instance::new(&app.component, Vitals::alone(), Outbound::new(Arc::default())))?;
    drop(made.map_err(|e| format!("no instance of it can be made: {e:#}"))?);
    Ok(app)
}

fn publish(slot: &Slot, stored: &Stored, version: Version, app: App) -> Result<Version, String> {
    now(slot.publish(stored, version.clone(), app))?;
    Ok(version)
}

/// Put the component in `file` in the place of an app's own, if it can be served. `file` lies beside it, and is gone
/// afterwards. The one before is kept for [`roll_back`].
pub fn deploy(slot: &Slot, file: &Path) -> Result<Version, String> {
    let stored = stored_component(slot)?;
    let mut seen = stored.seen();
    let path = &stored.tenant.origin.path;
    // Tried where it is, so that a broken one never gets in the way of the good one.
    let version = stored.prepare_file(file)?;
    let app = tried(stored, &version)?;
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let (before, beside) = (previous(path), file.with_extension("previous"));
    let _ = fs::remove_file(&beside);
    // There is a whole component under the name at any moment.
    fs::hard_link(path, &beside).map_err(failed)?;
    fs::rename(&beside, &before).map_err(failed)?;
    fs::rename(file, path).map_err(failed)?;
    *seen = stamp(stored);
    publish(slot, stored, version, app)
}

/// Exchange an app's component with the one before.
pub fn roll_back(slot: &Slot) -> Result<Version, String> {
    let stored = stored_component(slot)?;
    let mut seen = stored.seen();
    let path = &stored.tenant.origin.path;
    let before = previous(path);
    if !before.is_file() {
        return Err(format!("there is nothing to go back to: no {}", before.display()));
    }
    let version = stored.prepare_file(&before)?;
    let app = tried(stored, &version)?;
    rustix::fs::renameat_with(
        rustix::fs::CWD,
        path,
        rustix::fs::CWD,
        &before,
        rustix::fs::RenameFlags::EXCHANGE,
    )
    .map_err(|e| format!("{}: {e}", path.display()))?;
    *seen = stamp(stored);
    publish(slot, stored, version, app)
}

/// Where the component before this one is kept.
pub fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".previous");
    name.into()
}

fn stored_component(slot: &Slot) -> Result<&Stored, String> {
    let stored = slot.kept().ok_or("this app is not one of a host file")?;
    let path = &stored.tenant.origin.path;
    if stored.tenant.origin.is_python() {
        return Err(format!(
            "{} is built from {}: edit that, or name a .wasm file as its source",
            slot.name,
            path.display()
        ));
    }
    Ok(stored)
}

/// A new name beside an app's component, for what is to be deployed.
pub fn beside(slot: &Slot, number: u64) -> Result<PathBuf, String> {
    let path = &stored_component(slot)?.tenant.origin.path;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(path.with_file_name(format!(".{name}.{}-{number}.deploying.wasm", std::process::id())))
}

/// Remove what deployments left beside an app's component that were interrupted.
pub fn sweep(stored: &Stored) {
    let path = &stored.tenant.origin.path;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let rest = file.strip_prefix(&format!(".{name}.")).filter(|rest| rest.contains(".deploying."));
        let process = rest.and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !artifact::is_alive(process)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
