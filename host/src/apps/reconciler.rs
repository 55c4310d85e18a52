//! The reconciler: builds the apps of a host file that are not built, and replaces those whose files have changed.
//!
//! It has a thread of its own, so nothing is ever compiled on a worker's thread while requests wait there.

use crate::apps::app::App;
use crate::apps::dormant::{BuildState, DormantApp, Version};
use crate::apps::file_stamps::FileStamps;
use crate::apps::registry::AppTable;
use crate::apps::slot::Slot;
use crate::sandbox::execution::Execution;
use crate::sandbox::http_client::HttpClient;
use crate::sandbox::instance::Instance;
use crate::util::affinity;
use crate::util::blocking::block_on;
use crate::util::cache_files;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often files are checked.
const LOOK: Duration = Duration::from_secs(1);

/// Reconcile all apps of the table, on a thread that lives as long as the process.
pub fn keep(apps: AppTable) -> Result<(), String> {
    let thread = std::thread::Builder::new().name("reconciler".into());
    let keeping = move || {
        affinity::enter_background();
        loop {
            apps.slots().iter().for_each(|slot| look(slot));
            std::thread::sleep(LOOK);
        }
    };
    thread.spawn(keeping).map(|_| ()).map_err(|e| format!("the reconciler cannot start: {e}"))
}

/// Prepare a slot's app if its files have changed since the last check.
fn look(slot: &Slot) {
    let Some(dormant) = slot.as_dormant() else { return };
    // A deployment holds this while it compiles, and then updates the stamps itself. Other apps need not wait for it.
    let Some(mut seen) = dormant.try_seen() else { return };
    let now = FileStamps::of_origin(&dormant.tenant.origin);
    if *seen == now && !matches!(dormant.state(), BuildState::Unbuilt) {
        return;
    }
    *seen = now;
    let name = &dormant.tenant.name;
    match dormant.state() {
        // The first version need not be opened here: the first request opens it.
        BuildState::Unbuilt | BuildState::Broken(_) => match dormant.prepare() {
            Ok(version) => dormant.set_state(BuildState::Ready(version)),
            Err(why) => {
                tracing::error!(app = name, "the app cannot be served: {why}");
                dormant.set_state(BuildState::Broken(why));
            }
        },
        BuildState::Ready(before) => match replace(slot, dormant) {
            Ok(version) if version.id == before.id => {}
            Ok(version) => tracing::info!(
                app = name,
                version = version.id,
                "its file has changed, and the new version is served"
            ),
            Err(why) => {
                tracing::error!(app = name, "its file has changed and the old version goes on: {why}");
            }
        },
    }
}

/// Build the current files, check that the result can be served, and publish it.
fn replace(slot: &Slot, dormant: &DormantApp) -> Result<Version, String> {
    let version = dormant.prepare()?;
    let app = tried(dormant, &version)?;
    publish(slot, dormant, version, app)
}

/// Load a version, and check that an instance of it starts.
fn tried(dormant: &DormantApp, version: &Version) -> Result<App, String> {
    let app = dormant.open(version).map_err(|e| e.to_string())?;
    let made = block_on(Instance::new(&app.component, Execution::alone(), HttpClient::new(Arc::default())))?;
    drop(made.map_err(|e| format!("no instance of it can be created: {e:#}"))?);
    Ok(app)
}

fn publish(slot: &Slot, dormant: &DormantApp, version: Version, app: App) -> Result<Version, String> {
    block_on(slot.publish(dormant, version.clone(), app))?;
    Ok(version)
}

/// Replace an app's component with `file`, if that can be served. `file` is next to it, and is moved into its place.
/// The previous component is kept for [`roll_back`].
pub fn deploy(slot: &Slot, file: &Path) -> Result<Version, String> {
    let dormant = own_component(slot)?;
    let mut seen = dormant.seen();
    let path = &dormant.tenant.origin.path;
    // Tried before it is moved, so that a broken one never replaces a good one.
    let version = dormant.prepare_file(file)?;
    let app = tried(dormant, &version)?;
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let (before, beside) = (previous(path), file.with_extension("previous"));
    let _ = fs::remove_file(&beside);
    // A complete component has the name at any moment.
    fs::hard_link(path, &beside).map_err(failed)?;
    fs::rename(&beside, &before).map_err(failed)?;
    fs::rename(file, path).map_err(failed)?;
    *seen = FileStamps::of_origin(&dormant.tenant.origin);
    publish(slot, dormant, version, app)
}

/// Swap an app's component with the previous one.
pub fn roll_back(slot: &Slot) -> Result<Version, String> {
    let dormant = own_component(slot)?;
    let mut seen = dormant.seen();
    let path = &dormant.tenant.origin.path;
    let before = previous(path);
    if !before.is_file() {
        return Err(format!("there is no previous version: {} does not exist", before.display()));
    }
    let version = dormant.prepare_file(&before)?;
    let app = tried(dormant, &version)?;
    rustix::fs::renameat_with(
        rustix::fs::CWD,
        path,
        rustix::fs::CWD,
        &before,
        rustix::fs::RenameFlags::EXCHANGE,
    )
    .map_err(|e| format!("{}: {e}", path.display()))?;
    *seen = FileStamps::of_origin(&dormant.tenant.origin);
    publish(slot, dormant, version, app)
}

/// Where the previous component is kept.
pub fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".previous");
    name.into()
}

fn own_component(slot: &Slot) -> Result<&DormantApp, String> {
    let dormant = slot.as_dormant().ok_or("this app does not come from a host file")?;
    let path = &dormant.tenant.origin.path;
    if dormant.tenant.origin.is_python() {
        return Err(format!(
            "{} is built from {}: edit that, or name a .wasm file as its source",
            slot.name,
            path.display()
        ));
    }
    Ok(dormant)
}

/// A new file name next to an app's component, for one that is to be deployed.
pub fn beside(slot: &Slot, number: u64) -> Result<PathBuf, String> {
    let path = &own_component(slot)?.tenant.origin.path;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(path.with_file_name(format!(".{name}.{}-{number}.deploying.wasm", std::process::id())))
}

/// Remove the files that interrupted deployments left next to an app's component.
pub fn sweep(dormant: &DormantApp) {
    let path = &dormant.tenant.origin.path;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let rest = file.strip_prefix(&format!(".{name}.")).filter(|rest| rest.contains(".deploying."));
        let process = rest.and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !cache_files::is_alive(process)) {
            let _ = fs::remove_file(entry.path());
        }
    }
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
        let origin = Origin {
            path: "/nowhere/app.wasm".into(),
            app: None,
            root: Default::default(),
            linking: Default::default(),
            rebuild: false,
        };
        let (mount, config) = Default::default();
        let tenant = Tenant { name: "app".to_owned(), origin, mount, config };
        let slot = Slot::dormant(DormantApp::new(tenant, engine, "/nowhere".into()));
        let dormant = slot.as_dormant().unwrap();
        let deploying = dormant.seen();
        look(&slot);
        assert!(matches!(dormant.state(), BuildState::Unbuilt));
        drop(deploying);
        look(&slot);
        assert!(matches!(dormant.state(), BuildState::Broken(_)));
    }
}
