//! The commands for one app: `run`, `dev`, `build`, `inspect`, `openapi`, `new` and `sdk`.

use crate::apps::app::App;
use crate::apps::dormant::MOST_WARNED;
use crate::apps::loader;
use crate::apps::registry::AppTable;
use crate::apps::reloader::Reloader;
use crate::apps::slot::Slot;
use crate::apps::source_runner::{PackageImports, Runner};
use crate::builder::from_source::Planned;
use crate::builder::packages;
use crate::builder::prepare::{Prepared, prepare};
use crate::builder::refusal::Pace;
use crate::builder::sdk_bundle;
use crate::cli::args::{Build, Dev, Inspect, New, Run, When};
use crate::cli::child_args::Source;
use crate::cli::inspect;
use crate::cli::probe;
use crate::cli::scaffold;
use crate::cli::steps::{Outcome, begin, cores, pool, say, serve};
use crate::config::app_source::AppRef;
use crate::config::origin::Origin;
use crate::config::{AppConfig, Config, Limits};
use crate::manifest::Manifest;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::engine::Engine;
use crate::util::blocking::block_on;
use crate::util::cache_files;
use crate::util::printable;
use crate::util::progress;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often `dev` checks the files without a request.
const LOOK: Duration = Duration::from_millis(300);

/// Build if necessary, serve, and drain at Ctrl-C or SIGTERM.
pub fn run(args: &Run, cache: &Path) -> Outcome {
    if args.reload {
        return Err("there is no --reload: `bolt-host dev app.py` reloads the app after each edit".to_owned());
    }
    let mut origin = args.source.origin();
    let (config, app_config) = (args.serving.config(cores())?, args.serving.app_config(&origin.path)?);
    let log = begin(&args.serving.process)?;
    let engine = pool(&config)?;
    origin.left_out.extend(app_config.places());
    let slot = match unbuilt(args, &origin, &engine, &app_config.limits, cache)? {
        None => {
            let app = loader::load(&origin, &engine, &app_config, cache)?;
            Arc::new(Slot::new(&app.component.spec.name.clone(), app))
        }
        Some(app) => {
            let runner =
                Runner::ready(&engine, &app.module, &app_config, cache, PackageImports::EarlyIfBuilt)?;
            let slot = Arc::new(Slot::new(&app.module, block_on(runner.load(&app, false))??));
            if args.build == When::Aside {
                build_aside(origin, engine, app_config.clone(), cache.to_owned(), slot.clone());
            }
            slot
        }
    };
    if let Some(app) = slot.app() {
        say(&inspect::routes(&app.manifest));
        warn_of_frozen(&app.manifest, &app_config.env);
    }
    serve(&config, AppTable::of_one(slot), cache)?;
    drop(log);
    Ok(())
}

/// Serve the source, and reload it after each edit.
pub fn dev(args: &Dev, cache: &Path) -> Outcome {
    let mut origin = args.app.origin();
    if !origin.is_python() {
        return Err(format!("{}: dev serves a .py file", origin.path.display()));
    }
    let (config, app_config) = (args.serving.config(1)?, args.serving.app_config(&origin.path)?);
    origin.left_out = app_config.places();
    let name = origin.app_ref()?.module;
    let log = begin(&args.serving.process)?;
    let imports = if args.import_again { PackageImports::WithApp } else { PackageImports::Early };
    let runner = Runner::ready(&pool(&config)?, &name, &app_config, cache, imports)?;
    let reloader = block_on(Reloader::new(runner, origin))?;
    match block_on(reloader.current())? {
        Ok(app) => say(&inspect::routes(&app.manifest)),
        Err(text) => progress::tell(format_args!("the app cannot be loaded yet:\n{text}")),
    }
    let slot = Arc::new(Slot::reloading(&name, reloader));
    watch(slot.clone());
    serve(&config, AppTable::of_one(slot), cache)?;
    drop(log);
    Ok(())
}

/// Report the outcome of an edit as soon as it is saved, before the next request.
fn watch(slot: Arc<Slot>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(LOOK);
            if let Some(reloader) = slot.reloader() {
                let _ = block_on(reloader.current());
            }
        }
    });
}

/// The app to serve from source until it is built, if any.
fn unbuilt(
    args: &Run,
    origin: &Origin,
    engine: &Engine,
    limits: &Limits,
    cache: &Path,
) -> Result<Option<AppRef>, String> {
    if !origin.is_python() || args.build == When::First {
        return Ok(None);
    }
    // The build itself asks for the packages again, if it is to.
    let app = packages::ready(&Origin { rebuild: false, ..origin.clone() }, limits, cache)?;
    let is_done = args.build == When::Aside
        && !origin.rebuild
        && Planned::of_app(&app, origin.linking, cache, limits.build_disk)?.is_done(engine, cache);
    Ok(if is_done { None } else { Some(app) })
}

/// Build while the source is served, then replace it with the built app.
fn build_aside(origin: Origin, engine: Engine, config: AppConfig, cache: PathBuf, slot: Arc<Slot>) {
    std::thread::spawn(move || match loader::load(&origin, &engine, &config, &cache) {
        Ok(app) => {
            slot.replace(app);
            progress::tell("  the built app takes over");
        }
        Err(text) => {
            progress::tell(format_args!(
                "error: the build failed, so the host continues to serve the source: {text}"
            ));
        }
    });
}

/// Build an app into a file.
pub fn build(args: &Build, cache: &Path) -> Outcome {
    let Prepared { wasm, artifact, manifest } = compiled(&args.source, &args.limits.app, cache)?;
    let output = args.output.display();
    let bytes = fs::read(&wasm).map_err(|e| format!("{}: {e}", wasm.display()))?;
    cache_files::write_atomically(&args.output, &bytes).map_err(|e| format!("{output}: {e}"))?;
    say(&inspect::routes(&manifest));
    warn_of_frozen(&manifest, &[]);
    say(&format!("wrote {}, version {}\n", args.output.display(), artifact.id()));
    Ok(())
}

/// Tell a developer what the build fixes that only run time knows. `env`: the variables at run time.
fn warn_of_frozen(manifest: &Manifest, env: &[(String, String)]) {
    for text in manifest.frozen_values(env) {
        progress::tell(format_args!("  warning: {}", printable::line(&text, MOST_WARNED)));
    }
}

/// Print the report on an app.
pub fn inspect(args: &Inspect, cache: &Path) -> Outcome {
    let Prepared { wasm, artifact, manifest } = compiled(&args.source, &args.limits.app, cache)?;
    let config = AppConfig::default();
    let called = loader::module(&manifest).to_owned();
    let load = || LoadedComponent::open(&pool(&Config::default())?, &artifact, &called, &config);
    let app = App::new(manifest, Arc::new(load()?), &config)?;
    let trial = block_on(probe::of(&app, load))??;
    say(&inspect::report(&wasm, &artifact, &app.manifest, &trial)?);
    Ok(())
}

/// Print an app's OpenAPI description.
pub fn openapi(args: &Inspect, cache: &Path) -> Outcome {
    let Prepared { manifest, .. } = compiled(&args.source, &args.limits.app, cache)?;
    let docs = manifest.docs.ok_or("the app has no description: it was made with openapi_url=None")?;
    let document: serde_json::Value = serde_json::from_str(&docs.openapi)
        .map_err(|e| format!("the app's description cannot be read: {e}"))?;
    say(&format!("{document:#}\n"));
    Ok(())
}

/// Create a project.
pub fn new(args: &New) -> Outcome {
    scaffold::create(&args.folder)?;
    let folder = args.folder.display();
    say(&format!("created {folder}; next:\n  cd {folder}\n  bolt-host dev app.py\n"));
    Ok(())
}

/// Print the path of the SDK, for tests and editors.
pub fn sdk(cache: &Path) -> Outcome {
    let place =
        sdk_bundle::unpack_for_people(cache).map_err(|e| format!("the SDK cannot be written: {e}"))?;
    say(&format!("{}\n", place.display()));
    Ok(())
}

/// Compile an app without serving it.
fn compiled(source: &Source, limits: &Limits, cache: &Path) -> Result<Prepared, String> {
    let engine = pool(&Config { most_instances: 1, ..Config::default() })?;
    prepare(&source.origin(), &engine, limits, cache, Pace::Foreground).map_err(|refusal| refusal.text)
}
