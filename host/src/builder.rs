//! From `app.py` to a compiled artifact: a private Python environment, componentize, compile, describe.
//!
//! Every step's result is cached under a hash of all that went into it, so nothing is done twice. User code is
//! run only inside the sandbox, at build time too.

use crate::artifact::{self, Artifact};
use crate::component;
use crate::config::{AppConfig, Limits};
use crate::engine::Engine;
use crate::guest::{Instance, NotLoaded};
use crate::manifest::Manifest;
use crate::outbound::Outbound;
use crate::pages::Maps;
use crate::progress::{self, Progress};
use crate::python::{self, Content, Python};
use crate::route::Router;
use crate::sdk;
use crate::source::{AppRef, sources};
use crate::sync::now;
use crate::vitals::Vitals;
use flatten::Split;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What becomes of the core modules that a component is linked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    /// They are merged into one; `names`: with the names of functions, for traps and profiles.
    Flat { names: bool },
    /// They stay, and are linked whenever there is a new instance.
    Left,
}

impl Default for Linking {
    fn default() -> Self {
        Self::Flat { names: true }
    }
}

/// A component that is in the cache, or will be.
pub struct Planned {
    key: String,
    linking: Linking,
    /// The component's place in the cache.
    pub wasm: PathBuf,
}

impl Planned {
    /// That of an app as its files are now.
    pub fn of_app(app: &AppRef, linking: Linking, cache: &Path) -> Result<Self, String> {
        Ok(Self::new(key(app, &sources(&app.folder)?), linking, cache))
    }

    /// That of the runner.
    pub fn of_runner(cache: &Path) -> Self {
        let all = format!("{}\0{}\0runner", python::COMPONENTIZE, sdk::digest());
        Self::new(all.into_bytes(), Linking::default(), cache)
    }

    /// `all`: what it is made of.
    fn new(mut all: Vec<u8>, linking: Linking, cache: &Path) -> Self {
        all.extend_from_slice(format!("\0{linking:?}\0{}", flatten::EDITION).as_bytes());
        let key = artifact::digest(&all);
        let wasm = cache.join("components").join(format!("{key}.wasm"));
        Self { key, linking, wasm }
    }

    /// It need not be built, nor be compiled to native code.
    pub fn is_done(&self, engine: &Engine, cache: &Path) -> bool {
        let digest = artifact::digest_of(&self.wasm, cache);
        digest.is_ok_and(|digest| cached(&Artifact::locate(cache, &digest, engine)).is_some())
    }
}

/// Make a component unless it is there; returns its path in the cache. The error is a text for people.
pub fn component_of(
    content: Content<'_>,
    planned: Planned,
    cache: &Path,
    rebuild: bool,
) -> Result<PathBuf, String> {
    let Planned { key, linking, wasm: target } = planned;
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
    let step = Progress::begin(&match content {
        Content::App(app) => format!("building {}:{}", app.module, app.attribute),
        Content::Runner => "building what runs apps from their source (once)".to_owned(),
    });
    sweep(&cache.join("work"));
    let work = cache.join("work").join(format!("{key}-{}", std::process::id()));
    artifact::private_folder(&work).map_err(io("the cache folder cannot be made"))?;
    let built = python::componentize(&python, content, &work).and_then(|wasm| {
        link(&wasm, linking)?;
        fs::rename(&wasm, &target).map_err(io("the component cannot be stored"))
    });
    let _ = fs::remove_dir_all(&work);
    built?;
    let _ = fs::remove_file(cache.join("components").join(format!("{key}.lock")));
    let size = fs::metadata(&target).map_or(0, |meta| meta.len()) / 1_000_000;
    step.done(&format!("{size} MB component"));
    Ok(target)
}

/// Remove what builds left behind that were interrupted: folders are named after their process.
fn sweep(work: &Path) {
    for entry in fs::read_dir(work).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.rsplit('-').next().unwrap_or_default();
        if !artifact::is_alive(process) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Do what there is to be done about the core modules of a component file.
fn link(wasm: &Path, linking: Linking) -> Result<(), String> {
    let names = match linking {
        Linking::Left => return Ok(()),
        Linking::Flat { names } => names,
    };
    let io = |e: std::io::Error| format!("the component cannot be flattened: {e}");
    match flatten::flatten(&fs::read(wasm).map_err(io)?, names) {
        Ok(flat) => fs::write(wasm, flat).map_err(io),
        Err(left) => {
            progress::tell(format_args!(
                "    its modules are left as they are, because {left}; it starts more slowly"
            ));
            Ok(())
        }
    }
}

/// Compile a component and ask it for its manifest, unless both are cached. The error is a sentence.
pub fn compile(
    engine: &Engine,
    wasm: &Path,
    cache: &Path,
    config: &AppConfig,
    rebuild: bool,
) -> Result<(Artifact, Manifest), String> {
    let shown = wasm.display();
    let digest = artifact::digest_of(wasm, cache).map_err(|e| format!("{shown}: {e}"))?;
    let artifact = Artifact::locate(cache, &digest, engine);
    if !rebuild && let Some(manifest) = cached(&artifact) {
        return Ok((artifact, manifest));
    }
    let bytes = fs::read(wasm).map_err(|e| format!("{shown}: {e}"))?;
    component::check(&bytes).map_err(|sentence| format!("{shown}: {sentence}"))?;
    let artifact = Artifact::locate(cache, &artifact::digest(&bytes), engine);
    let name = wasm.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    to_native(engine, wasm, &bytes, cache, &artifact)?;
    let (json, manifest) = describe(engine, &artifact, &name, config).map_err(|e| format!("{shown}: {e}"))?;
    artifact::write_atomically(&artifact.manifest, json.as_bytes()).map_err(unstored)?;
    Ok((artifact, manifest))
}

/// Compile a component that has no manifest, unless it is cached. The error is a sentence.
pub fn native(engine: &Engine, wasm: &Path, cache: &Path) -> Result<Artifact, String> {
    let read = |e| format!("{}: {e}", wasm.display());
    let artifact = Artifact::locate(cache, &artifact::digest_of(wasm, cache).map_err(read)?, engine);
    if !artifact.has_code() {
        to_native(engine, wasm, &fs::read(wasm).map_err(read)?, cache, &artifact)?;
    }
    Ok(artifact)
}

/// Compile a component: in two parts where it can be.
fn to_native(
    engine: &Engine,
    wasm: &Path,
    bytes: &[u8],
    cache: &Path,
    artifact: &Artifact,
) -> Result<(), String> {
    let step = Progress::begin("compiling to native code");
    let (code, shared) = match in_parts(engine, bytes, cache)? {
        Some((own, shared)) => (own, Some(shared)),
        None => {
            let failed = |e| format!("{}: it cannot be compiled: {e:#}", wasm.display());
            (engine.precompile_component(bytes).map_err(failed)?, None)
        }
    };
    artifact.store(&code, shared.as_ref()).map_err(unstored)?;
    step.done(&format!("{} MB", code.len() / 1_000_000));
    Ok(())
}

/// What is a component's own, compiled, and its code, which is compiled once for all apps that have it: that takes 7 s, and
/// the rest of one 0.2 s.
fn in_parts(engine: &Engine, bytes: &[u8], cache: &Path) -> Result<Option<(Vec<u8>, Artifact)>, String> {
    let Ok(Split { code, rest }) = flatten::split(bytes) else { return Ok(None) };
    let Ok(own) = engine.precompile_component(&rest) else { return Ok(None) };
    let shared = Artifact::locate(cache, &artifact::digest(&code), engine);
    if !shared.has_code() {
        let Ok(code) = engine.precompile_module(&code) else { return Ok(None) };
        shared.store(&code, None).map_err(unstored)?;
    }
    Ok(Some((own, shared)))
}

fn unstored(error: std::io::Error) -> String {
    format!("the compiled component cannot be stored: {error}")
}

/// The manifest of what is compiled already.
pub fn cached(artifact: &Artifact) -> Option<Manifest> {
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
    config: &AppConfig,
) -> Result<(String, Manifest), String> {
    let loaded = component::Loaded::open(engine, artifact, name, config)?;
    let (json, alive) = now(asked(&loaded, &config.limits))??;
    if let Some(maps) = Maps::look() {
        // It is advice: an app can be served without.
        let _ = artifact.note_pages(&maps);
    }
    drop(alive);
    let manifest = Manifest::parse(&json)?;
    Router::new(&manifest)?;
    Ok((json, manifest))
}

/// The manifest of a component, as JSON, from an instance made for the purpose. The error is a text for people.
pub async fn ask(loaded: &component::Loaded, limits: &Limits) -> Result<String, String> {
    asked(loaded, limits).await.map(|(json, _)| json)
}

async fn asked(loaded: &component::Loaded, limits: &Limits) -> Result<(String, Instance), String> {
    let vitals = Vitals::alone();
    // From now on it counts as computing, so that it gives way at every tick: an import may never end.
    vitals.entered();
    let asking = async {
        let mut instance = Instance::new(loaded, vitals, Outbound::new(Arc::default())).await?;
        Ok((instance.describe().await?, instance))
    };
    match tokio::time::timeout(limits.deadline, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(match wasmtime::Error::downcast::<NotLoaded>(error) {
            Ok(NotLoaded(text)) => text,
            Err(error) => format!("it cannot tell its routes: {error:#}"),
        }),
        Err(_) => Err("it took longer than --deadline to be imported and to tell its routes".to_owned()),
    }
}

/// Everything that the component is made of, or hashes of it.
fn key(app: &AppRef, sources: &[PathBuf]) -> Vec<u8> {
    let mut all = format!("{}\0{}\0{}\0{}\0", python::COMPONENTIZE, sdk::digest(), app.module, app.attribute)
        .into_bytes();
    for path in sources {
        let bytes = fs::read(path).unwrap_or_default();
        let relative = path.strip_prefix(&app.folder).unwrap_or(path);
        all.extend_from_slice(format!("{}\0{}\0", relative.display(), artifact::digest(&bytes)).as_bytes());
    }
    all
}
