//! Compiles a component to native code, and asks it for the app's manifest.
//!
//! Both are cached under the hashes of the component and of the engine. Even at build time, the app runs only inside
//! the sandbox.

use crate::builder::app_archive;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::config::{AppConfig, Limits};
use crate::manifest::Manifest;
use crate::manifest::router::Router;
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::component::{self, LoadedComponent};
use crate::sandbox::engine::Engine;
use crate::sandbox::execution::Execution;
use crate::sandbox::http_client::HttpClient;
use crate::sandbox::instance::{Instance, NotLoaded};
use crate::sandbox::pagemap::Maps;
use crate::util::blocking::block_on;
use crate::util::cache_files;
use crate::util::progress::Progress;
use flatten::Split;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Compile a component and ask it for its manifest, unless both are cached. Errors are sentences for people.
pub fn compile(
    engine: &Engine,
    wasm: &Path,
    cache: &Path,
    config: &AppConfig,
    rebuild: bool,
) -> Result<(Artifact, Manifest), String> {
    let shown = wasm.display();
    check_size(wasm, &config.limits)?;
    let digest = cache_files::digest_of(wasm, cache).map_err(|e| format!("{shown}: {e}"))?;
    let artifact = Artifact::locate(cache, &digest, engine);
    let refused = |sentence| format!("{shown}: {sentence}");
    if !rebuild && let Some(manifest) = cached(&artifact, &config.limits).map_err(refused)? {
        return Ok((artifact, manifest));
    }
    let bytes = fs::read(wasm).map_err(|e| format!("{shown}: {e}"))?;
    component::check(&bytes).map_err(refused)?;
    let artifact = Artifact::locate(cache, &cache_files::digest(&bytes), engine);
    // First: what is refused for its files costs no compilation, and leaves nothing.
    app_archive::extract(&bytes, &artifact.files).map_err(refused)?;
    let name = wasm.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let described = to_native(engine, wasm, &bytes, cache, &artifact)
        .and_then(|()| describe(engine, &artifact, &name, config).map_err(refused));
    let (json, manifest) = match described {
        Ok(described) => described,
        Err(why) => {
            artifact.remove_unused();
            return Err(why);
        }
    };
    cache_files::write_private(&artifact.manifest, json.as_bytes()).map_err(unstored)?;
    Ok((artifact, manifest))
}

/// Refuse a component file before it is read.
pub fn check_size(wasm: &Path, limits: &Limits) -> Result<(), String> {
    let bytes = fs::metadata(wasm).map_err(|e| format!("{}: {e}", wasm.display()))?.len();
    let most = limits.max_component as u64;
    if bytes > most {
        let limit = limit_name::of(Limit::MaxComponent);
        return Err(format!(
            "{}: it has {bytes} bytes, and at most {most} are loaded ({limit})",
            wasm.display()
        ));
    }
    Ok(())
}

/// Compile a component that has no manifest, unless it is cached. Errors are sentences for people.
pub fn native(engine: &Engine, wasm: &Path, cache: &Path) -> Result<Artifact, String> {
    let read = |e| format!("{}: {e}", wasm.display());
    let artifact = Artifact::locate(cache, &cache_files::digest_of(wasm, cache).map_err(read)?, engine);
    if !artifact.has_code() {
        to_native(engine, wasm, &fs::read(wasm).map_err(read)?, cache, &artifact)?;
    }
    Ok(artifact)
}

/// Compile a component, in two parts if it can be split.
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

/// The component's own part, compiled, and its code, which is compiled once for all apps that share it. The code takes
/// 7 s, the own part 0.2 s.
fn in_parts(engine: &Engine, bytes: &[u8], cache: &Path) -> Result<Option<(Vec<u8>, Artifact)>, String> {
    let Ok(Split { code, rest }) = flatten::split(bytes) else { return Ok(None) };
    let Ok(own) = engine.precompile_component(&rest) else { return Ok(None) };
    let shared = Artifact::locate(cache, &cache_files::digest(&code), engine);
    if !shared.has_code() {
        let Ok(code) = engine.precompile_module(&code) else { return Ok(None) };
        shared.store(&code, None).map_err(unstored)?;
    }
    Ok(Some((own, shared)))
}

fn unstored(error: std::io::Error) -> String {
    format!("the compiled component cannot be stored: {error}")
}

/// The manifest of a component that is already compiled. It may have been read under a larger limit, for another app with
/// the same component or before the limit was lowered.
pub fn cached(artifact: &Artifact, limits: &Limits) -> Result<Option<Manifest>, String> {
    if !artifact.exists() {
        return Ok(None);
    }
    let Some(json) = artifact.read_manifest() else { return Ok(None) };
    check_manifest(&json, limits)?;
    Ok(Manifest::parse(&json).ok())
}

fn check_manifest(json: &str, limits: &Limits) -> Result<(), String> {
    let (bytes, most) = (json.len(), limits.max_manifest);
    if bytes > most {
        let limit = limit_name::of(Limit::MaxManifest);
        return Err(format!("its manifest has {bytes} bytes, and at most {most} are read ({limit})"));
    }
    Ok(())
}

/// Ask the component for its manifest, once, in its own sandbox.
fn describe(
    engine: &Engine,
    artifact: &Artifact,
    name: &str,
    config: &AppConfig,
) -> Result<(String, Manifest), String> {
    let loaded = LoadedComponent::open(engine, artifact, name, config)?;
    let (json, alive) = block_on(asked(&loaded, &config.limits))??;
    if let Some(maps) = Maps::look() {
        // The notes are a hint: the host can serve an app without them.
        let _ = artifact.note_pages(&maps);
    }
    drop(alive);
    let manifest = Manifest::parse(&json)?;
    Router::new(&manifest)?;
    Ok((json, manifest))
}

/// The manifest of a component as JSON, from a temporary instance. Errors are text for people.
pub async fn ask(loaded: &LoadedComponent, limits: &Limits) -> Result<String, String> {
    asked(loaded, limits).await.map(|(json, _)| json)
}

async fn asked(loaded: &LoadedComponent, limits: &Limits) -> Result<(String, Instance), String> {
    match try_ask(loaded, limits).await {
        Ok((json, instance)) => check_manifest(&json, limits).map(|()| (json, instance)),
        Err(error) => Err(match error.downcast::<NotLoaded>() {
            Ok(NotLoaded(text)) => text,
            Err(error) if error.is::<TooLong>() => error.to_string(),
            Err(error) => format!("it cannot describe its routes: {error:#}"),
        }),
    }
}

/// It had the time that a request has.
#[derive(Debug, thiserror::Error)]
#[error("it took longer than {} to import it and to list its routes", limit_name::of(Limit::Deadline))]
struct TooLong;

/// The manifest of a component, as the component says it. The error may be a [`NotLoaded`].
pub async fn try_ask(loaded: &LoadedComponent, limits: &Limits) -> wasmtime::Result<(String, Instance)> {
    let asking = async {
        let client = HttpClient::new(Arc::default());
        let mut instance = Instance::new(loaded, Execution::alone(), client).await?;
        Ok((instance.describe().await?, instance))
    };
    tokio::time::timeout(limits.deadline, asking).await.unwrap_or_else(|_| Err(TooLong.into()))
}
