//! The commands for hosts of many apps: `serve` and `check`.

use crate::apps::dormant::{BuildState, DormantApp, MOST_WARNED};
use crate::apps::reconciler;
use crate::apps::registry::AppTable;
use crate::apps::slot::Slot;
use crate::apps::version_store::VersionStore;
use crate::builder::{child, compiler};
use crate::cli::args::{Check, Serve};
use crate::cli::steps::{begin, cores, pool, say, serve as serve_table};
use crate::config::Limits;
use crate::config::cache_folder::user_state;
use crate::config::host_file::HostFile;
use crate::config::origin::Tenant;
use crate::util::affinity;
use crate::util::blocking::block_on;
use crate::util::{printable, progress};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often the states of the apps are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Serve every app of a host file, and drain at Ctrl-C or SIGTERM.
pub fn serve(args: &Serve, cache: &Path) -> Result<(), String> {
    let mut file = HostFile::read(&args.file, cores())?;
    let access = &mut file.config.admin_access;
    access.token = args.token.given()?.or(access.token.take());
    let log = begin(&args.process)?;
    let engine = pool(&file.config)?;
    let hosts = file.hosts();
    let versions = args.versions.clone().map_or_else(user_state, Ok)?.join("versions");
    let slot = |tenant: Tenant| {
        let store = VersionStore::new(&versions, &args.file, &tenant.name);
        store.sweep();
        let stored = DormantApp::new(tenant, engine.clone(), cache.to_owned(), Some(store));
        Arc::new(Slot::dormant(stored))
    };
    let slots: Vec<_> = file.tenants.into_iter().map(slot).collect();
    say(&format!("{} apps of {}\n", slots.len(), args.file.display()));
    let apps = AppTable::new(slots, hosts, file.idle);
    reconciler::keep(apps.clone(), file.builders)?;
    prepare_runner(apps.clone(), cache.to_owned());
    serve_table(&file.config, apps, cache)?;
    drop(log);
    Ok(())
}

/// Once every app is built, make what finds mistakes in their next versions before those are built. Without it they are found by the
/// build, ten seconds later.
fn prepare_runner(apps: AppTable, cache: PathBuf) {
    let dormant =
        |slot: &Arc<Slot>| slot.as_dormant().map(|app| (app.tenant.origin.is_python(), app.state()));
    if !apps.slots().iter().filter_map(dormant).any(|(is_python, _)| is_python) {
        return;
    }
    let Some(program) = child::program() else { return };
    std::thread::spawn(move || {
        affinity::enter_background();
        let unbuilt = |(_, state)| matches!(state, BuildState::Unbuilt);
        while apps.slots().iter().filter_map(dormant).any(unbuilt) {
            std::thread::sleep(LOOK);
        }
        if let Err(why) = child::prepare_runner(program, &Limits::default(), &cache) {
            tracing::warn!("mistakes in apps are found by their builds only: {why}");
        }
    });
}

/// Check that a host file is valid, and that every app of it builds.
pub fn check(args: &Check, cache: &Path) -> Result<(), String> {
    let file = HostFile::read(&args.file, cores())?;
    let engine = pool(&file.config)?;
    let (mut table, mut broken) = (String::new(), Vec::new());
    for tenant in file.tenants {
        let place =
            if tenant.mount.hosts.is_empty() { "any".to_owned() } else { tenant.mount.hosts.join(", ") };
        let stored = DormantApp::new(tenant, engine.clone(), cache.to_owned(), None);
        let tenant = &stored.tenant;
        let outcome = stored.prepare().map_err(String::from).and_then(|version| {
            let app = stored.open(&version).map_err(|e| e.to_string())?;
            block_on(compiler::ask(&app.component, &tenant.config.limits))??;
            for text in app.manifest.frozen_values(&tenant.config.env) {
                progress::tell(format_args!(
                    "  warning: {}: {}",
                    tenant.name,
                    printable::line(&text, MOST_WARNED)
                ));
            }
            Ok(app.manifest.routes.len())
        });
        let prefix = if tenant.mount.prefix.is_empty() { "/" } else { &tenant.mount.prefix };
        match outcome {
            Ok(routes) => {
                let plural = if routes == 1 { "" } else { "s" };
                let _ = writeln!(table, "  {:20}  {place} {prefix}  {routes} route{plural}", tenant.name);
            }
            Err(why) => broken.push(format!("{}: {why}", tenant.name)),
        }
    }
    say(&table);
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}
