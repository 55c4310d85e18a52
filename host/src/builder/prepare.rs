//! From an app's origin to compiled code and a manifest in the cache, by whatever is missing of it.

#[cfg(feature = "build")]
use crate::builder::child;
use crate::builder::compiler::{self, cached};
use crate::builder::component_file::{component_file, planned};
use crate::builder::refusal::{Pace, Refusal};
use crate::config::origin::Origin;
use crate::config::{AppConfig, Limits};
use crate::manifest::Manifest;
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::engine::Engine;
use crate::util::cache_files;
use std::path::{Path, PathBuf};

/// An app that can be loaded.
pub struct Prepared {
    pub wasm: PathBuf,
    pub artifact: Artifact,
    pub manifest: Manifest,
}

/// Build, compile and describe an app, unless that is cached; in a child process, if this program has them. Only what is missing
/// starts one.
pub fn prepare(
    origin: &Origin,
    engine: &Engine,
    limits: &Limits,
    cache: &Path,
    pace: Pace,
) -> Result<Prepared, Refusal> {
    if !origin.rebuild
        && let Some(wasm) = planned(origin, engine, limits, cache).map_err(Refusal::lasting)?
        && let Some(done) = done(wasm, engine, limits, cache)?
    {
        return Ok(done);
    }
    let wasm = made(origin, engine, limits, cache, pace)?;
    done(wasm, engine, limits, cache)?
        .ok_or_else(|| Refusal::passing("what was built is no longer in the cache".to_owned()))
}

#[cfg(feature = "build")]
fn made(
    origin: &Origin,
    engine: &Engine,
    limits: &Limits,
    cache: &Path,
    pace: Pace,
) -> Result<PathBuf, Refusal> {
    if origin.is_python() {
        // A child may open no connection.
        crate::builder::packages::ready(origin, limits, cache)?;
    }
    let Some(program) = child::program() else { return here(origin, engine, limits, cache) };
    cache_files::private_folder(cache)
        .map_err(|e| Refusal::passing(format!("the cache folder cannot be made: {e}")))?;
    if origin.is_python() {
        // It installs packages, which a child may not.
        crate::builder::python_env::Python::ready(cache).map_err(Refusal::passing)?;
    }
    child::prepare(program, origin, limits, cache, pace)
}

#[cfg(not(feature = "build"))]
fn made(
    origin: &Origin,
    engine: &Engine,
    limits: &Limits,
    cache: &Path,
    _: Pace,
) -> Result<PathBuf, Refusal> {
    here(origin, engine, limits, cache)
}

/// Prepare an app in this process; returns its component. It is described without grants and variables of its own: apps with the
/// same component share its manifest.
pub fn here(origin: &Origin, engine: &Engine, limits: &Limits, cache: &Path) -> Result<PathBuf, Refusal> {
    let wasm = component_file(origin, engine, limits, cache).map_err(Refusal::lasting)?;
    let config = AppConfig { limits: limits.clone(), ..AppConfig::default() };
    compiler::compile(engine, &wasm, cache, &config, origin.rebuild).map_err(Refusal::lasting)?;
    Ok(wasm)
}

/// What the cache has of a component, if that is all.
fn done(wasm: PathBuf, engine: &Engine, limits: &Limits, cache: &Path) -> Result<Option<Prepared>, Refusal> {
    if !wasm.is_file() {
        return Ok(None);
    }
    // What is compiled may have been so for another app.
    compiler::check_size(&wasm, limits)?;
    let Ok(digest) = cache_files::digest_of(&wasm, cache) else { return Ok(None) };
    let artifact = Artifact::locate(cache, &digest, engine);
    let manifest = cached(&artifact, limits).map_err(|why| format!("{}: {why}", wasm.display()))?;
    Ok(manifest.map(|manifest| Prepared { wasm, artifact, manifest }))
}
