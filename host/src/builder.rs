//! From `app.py` to a compiled artifact: a private Python environment, componentize, compile, describe.
//!
//! Every step's result is cached under a hash of all that went into it, so nothing is done twice. User code is
//! run only inside the sandbox, at build time too.

use crate::artifact::{self, Artifact};
use crate::component;
use crate::guest::Instance;
use crate::manifest::Manifest;
use crate::outbound::Outbound;
use crate::python::{self, Python};
use crate::sdk;
use crate::vitals::Vitals;
use crate::{config::Limits, route::Router};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use wasmtime::Engine;

/// What is to be built: `app.py` and the name of its `BoltAPI`.
#[derive(Debug, Clone)]
pub struct AppRef {
    pub module: String,
    pub attribute: String,
    pub folder: PathBuf,
}

impl AppRef {
    /// `path` is the file named on the command line; `app` is `module:attr` or nothing.
    pub fn new(path: &Path, app: Option<&str>) -> Result<Self, String> {
        let shown = path.display();
        if !path.is_file() {
            return Err(format!("{shown}: no such file"));
        }
        let path = path.canonicalize().map_err(|e| format!("{shown}: {e}"))?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let (module, attribute) = match app {
            None => (stem, "api"),
            Some(app) => app.split_once(':').unwrap_or((app, "api")),
        };
        let identifier = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        if !module.split('.').all(identifier) || !attribute.split('.').all(identifier) {
            return Err(format!(
                "{shown}: {module}:{attribute} is not a Python name: rename the file or give --app module:attr"
            ));
        }
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { module: module.to_owned(), attribute: attribute.to_owned(), folder })
    }
}

/// Tells the user what is being done, one line a step.
pub struct Progress {
    start: Instant,
}

impl Progress {
    /// Say what begins.
    pub fn begin(step: &str) -> Self {
        eprintln!("  {step} …");
        Self { start: Instant::now() }
    }

    /// Say that it is done, and how long it took.
    pub fn done(self, result: &str) {
        eprintln!("    {result} in {:.1} s", self.start.elapsed().as_secs_f64());
    }
}

/// Build `app` to a component; returns its path in the cache. The error is a text for people.
pub fn component_of(app: &AppRef, cache: &Path, rebuild: bool) -> Result<PathBuf, String> {
    let sources = sources(&app.folder)?;
    let key = key(app, &sources);
    let target = cache.join("components").join(format!("{key}.wasm"));
    if target.is_file() && !rebuild {
        return Ok(target);
    }
    let io = |what: &str| {
        let what = what.to_owned();
        move |e: std::io::Error| format!("{what}: {e}")
    };
    artifact::private_folder(&cache.join("components")).map_err(io("the cache folder cannot be made"))?;
    // Two hosts may start with one app: the second waits and finds the work done.
    let lock = File::create(cache.join("components").join(format!("{key}.lock")))
        .map_err(io("the cache cannot be locked"))?;
    lock.lock().map_err(io("the cache cannot be locked"))?;
    if target.is_file() && !rebuild {
        return Ok(target);
    }
    let python = Python::ready(cache)?;
    let step = Progress::begin(&format!("building {}:{}", app.module, app.attribute));
    let work = cache.join("work").join(format!("{key}-{}", std::process::id()));
    artifact::private_folder(&work).map_err(io("the cache folder cannot be made"))?;
    let built = python::componentize(&python, app, &work);
    let built =
        built.and_then(|wasm| fs::rename(&wasm, &target).map_err(io("the component cannot be stored")));
    let _ = fs::remove_dir_all(&work);
    built?;
    let _ = fs::remove_file(cache.join("components").join(format!("{key}.lock")));
    let size = fs::metadata(&target).map_or(0, |meta| meta.len()) / 1_000_000;
    step.done(&format!("{size} MB component"));
    Ok(target)
}

/// Compile a component and ask it for its manifest, unless both are cached. The error is a sentence.
pub fn compile(
    engine: &Engine,
    wasm: &Path,
    cache: &Path,
    limits: &Limits,
    rebuild: bool,
) -> Result<(Artifact, Manifest), String> {
    let shown = wasm.display();
    let bytes = fs::read(wasm).map_err(|e| format!("{shown}: {e}"))?;
    component::check(&bytes).map_err(|sentence| format!("{shown}: {sentence}"))?;
    let artifact = Artifact::locate(cache, &artifact::digest(&bytes), engine);
    if !rebuild && let Some(manifest) = cached(&artifact) {
        return Ok((artifact, manifest));
    }
    let name = wasm.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let step = Progress::begin("compiling to native code");
    let code =
        engine.precompile_component(&bytes).map_err(|e| format!("{shown}: it cannot be compiled: {e:#}"))?;
    let io = |e: std::io::Error| format!("the compiled component cannot be stored: {e}");
    artifact::private_folder(artifact.code.parent().unwrap_or(cache)).map_err(io)?;
    artifact::write_atomically(&artifact.code, &code).map_err(io)?;
    step.done(&format!("{} MB", code.len() / 1_000_000));
    let (json, manifest) = describe(engine, &artifact, &name, limits).map_err(|e| format!("{shown}: {e}"))?;
    artifact::write_atomically(&artifact.manifest, json.as_bytes()).map_err(io)?;
    Ok((artifact, manifest))
}

fn cached(artifact: &Artifact) -> Option<Manifest> {
    if !artifact.exists() {
        return None;
    }
    Manifest::parse(&fs::read_to_string(&artifact.manifest).ok()?).ok()
}

/// Ask the component, once, in a sandbox of its own.
fn describe(
    engine: &Engine,
    artifact: &Artifact,
    name: &str,
    limits: &Limits,
) -> Result<(String, Manifest), String> {
    let loaded = component::Loaded::open(engine, &artifact.code, name, limits)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let json = runtime.block_on(async {
        let asking = async {
            Instance::new(&loaded, Vitals::alone(), Outbound::new(Arc::default())).await?.describe().await
        };
        match tokio::time::timeout(limits.deadline, asking).await {
            Ok(Ok(json)) => Ok(json),
            Ok(Err(error)) => Err(format!("it cannot tell its routes: {error:#}")),
            Err(_) => Err("it took longer than --deadline to tell its routes".to_owned()),
        }
    })?;
    let manifest = Manifest::parse(&json)?;
    Router::new(&manifest)?;
    Ok((json, manifest))
}

/// The Python files an app may import, below its folder. Hidden folders, environments and caches are left out.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, String> {
    const MOST: usize = 5000;
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if name.starts_with('.') || matches!(&*name, "__pycache__" | "node_modules") {
                continue;
            }
            // Links are followed; a loop of them ends at the file limit below or at the system's own.
            match fs::metadata(&path).map(|meta| meta.file_type()) {
                Ok(kind) if kind.is_dir() && !path.join("pyvenv.cfg").exists() => folders.push(path),
                Ok(kind) if !kind.is_dir() && name.ends_with(".py") => found.push(path),
                _ => {}
            }
        }
        if found.len() > MOST {
            return Err(format!(
                "{} has more than {MOST} Python files below it: move the app into a folder of its own",
                folder.display()
            ));
        }
    }
    found.sort();
    Ok(found)
}

/// A hash of everything that the component is made of.
fn key(app: &AppRef, sources: &[PathBuf]) -> String {
    let mut all = format!("{}\0{}\0{}\0{}\0", python::COMPONENTIZE, sdk::digest(), app.module, app.attribute)
        .into_bytes();
    for path in sources {
        let bytes = fs::read(path).unwrap_or_default();
        let relative = path.strip_prefix(&app.folder).unwrap_or(path);
        all.extend_from_slice(format!("{}\0{}\0", relative.display(), artifact::digest(&bytes)).as_bytes());
    }
    artifact::digest(&all)
}
