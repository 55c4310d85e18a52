//! What each command does, step by step.

use crate::app::{App, AppTable};
use crate::artifact::Artifact;
use crate::builder::{self, AppRef};
use crate::cli::{Build, Inspect, New, Run, Source};
use crate::component::{self, Loaded};
use crate::config::Config;
use crate::manifest::Manifest;
use crate::server::Server;
use crate::{accesslog, artifact, inspect, project, sdk};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Outcome = Result<(), String>;

/// Build if need be, serve, and drain at Ctrl-C or SIGTERM.
pub fn run(args: &Run, cache: &Path) -> Outcome {
    let config = args.config();
    let log = accesslog::start(args.log_format, args.log_filter.as_deref())?;
    let app = load(&args.source, &config, cache)?;
    say(&inspect::routes(&app.manifest));
    let server = Server::start(&config, &AppTable::of_one(app))?;
    say(&format!("listening on http://{}\n", server.address));
    wait_for_signal()?;
    eprintln!("draining: requests in flight may finish; a second signal ends them");
    std::thread::spawn(|| {
        let _ = wait_for_signal();
        std::process::exit(1);
    });
    server.stop();
    drop(log);
    Ok(())
}

/// Build to a file of its own.
pub fn build(args: &Build, cache: &Path) -> Outcome {
    let (wasm, _, manifest) = compiled(&args.source, cache)?;
    let output = args.output.display();
    let bytes = fs::read(&wasm).map_err(|e| format!("{}: {e}", wasm.display()))?;
    artifact::write_atomically(&args.output, &bytes).map_err(|e| format!("{output}: {e}"))?;
    say(&inspect::routes(&manifest));
    say(&format!("wrote {}\n", args.output.display()));
    Ok(())
}

/// Show what an app is made of.
pub fn inspect(args: &Inspect, cache: &Path) -> Outcome {
    let (wasm, artifact, manifest) = compiled(&args.source, cache)?;
    say(&inspect::report(&wasm, &artifact, &manifest)?);
    Ok(())
}

/// Print an app's OpenAPI description.
pub fn openapi(args: &Inspect, cache: &Path) -> Outcome {
    let (_, _, manifest) = compiled(&args.source, cache)?;
    let docs = manifest.docs.ok_or("the app has no description: it was made with openapi_url=None")?;
    let document: serde_json::Value = serde_json::from_str(&docs.openapi)
        .map_err(|e| format!("the app's description cannot be read: {e}"))?;
    say(&format!("{document:#}\n"));
    Ok(())
}

/// Make a project.
pub fn new(args: &New) -> Outcome {
    project::create(&args.folder)?;
    let folder = args.folder.display();
    say(&format!("made {folder}; next:\n  cd {folder}\n  bolt-host run app.py\n"));
    Ok(())
}

/// Print where the SDK is, for the Python of people.
pub fn sdk(cache: &Path) -> Outcome {
    let place = sdk::unpack_for_people(cache).map_err(|e| format!("the SDK cannot be written: {e}"))?;
    say(&format!("{}\n", place.display()));
    Ok(())
}

/// An app for the commands that do not serve it: its component, the compiled code, and what it says of itself.
fn compiled(source: &Source, cache: &Path) -> Result<(PathBuf, Artifact, Manifest), String> {
    let config = Config::default();
    let wasm = component_path(source, cache)?;
    let engine = component::engine(&config).map_err(|e| format!("{e:#}"))?;
    let (artifact, manifest) = builder::compile(&engine, &wasm, cache, &config.limits, source.rebuild)?;
    Ok((wasm, artifact, manifest))
}

fn load(source: &Source, config: &Config, cache: &Path) -> Result<App, String> {
    let (wasm, rebuild) = (component_path(source, cache)?, source.rebuild);
    let engine = component::engine(config).map_err(|e| {
        format!("the pool of instances cannot be made: {e:#}; lower --instances, --workers or --memory")
    })?;
    let (artifact, manifest) = builder::compile(&engine, &wasm, cache, &config.limits, rebuild)?;
    let component = Loaded::open(&engine, &artifact.code, &name(&manifest), &config.limits)
        .map_err(|sentence| format!("{}: {sentence}", source.path.display()))?;
    App::new(manifest, Arc::new(component), config.limits.clone(), config.grants.clone())
        .map_err(|sentence| format!("{}: {sentence}", source.path.display()))
}

/// The module's name stands for the app in the log.
fn name(manifest: &Manifest) -> String {
    manifest.app.split(':').next().unwrap_or_default().to_owned()
}

/// The component of what was named: itself, or what it builds to.
fn component_path(source: &Source, cache: &Path) -> Result<PathBuf, String> {
    let path = &source.path;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("py") => {
            builder::component_of(&AppRef::new(path, source.app.as_deref())?, cache, source.rebuild)
        }
        Some("wasm") if path.is_file() => Ok(path.clone()),
        Some("wasm") => Err(format!("{}: no such file", path.display())),
        _ => Err(format!(
            "{}: an app is a .py file, or a .wasm file made by `bolt-host build`",
            path.display()
        )),
    }
}

/// Print. Whoever reads may stop reading, as `head` does; that is no failure.
fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Return when the process is asked to end.
fn wait_for_signal() -> Outcome {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |e: std::io::Error| format!("signals cannot be received: {e}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}
