//! Builds, compiles and loads an app, from any kind of source.

use crate::apps::app::App;
use crate::builder::prepare::{Prepared, prepare};
use crate::builder::refusal::Pace;
use crate::config::AppConfig;
use crate::config::origin::Origin;
use crate::manifest::Manifest;
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::engine::Engine;
use std::path::Path;
use std::sync::Arc;

/// Build, compile and load an app.
pub fn load(origin: &Origin, engine: &Engine, config: &AppConfig, cache: &Path) -> Result<App, String> {
    let prepared = prepare(origin, engine, &config.limits, cache, Pace::Foreground);
    let Prepared { artifact, manifest, .. } = prepared.map_err(|refusal| refusal.text)?;
    let name = module(&manifest).to_owned();
    open(&artifact, manifest, &name, engine, config)
        .map_err(|sentence| format!("{}: {sentence}", origin.path.display()))
}

/// Load a compiled app; `name` is its name in the log.
pub fn open(
    artifact: &Artifact,
    manifest: Manifest,
    name: &str,
    engine: &Engine,
    config: &AppConfig,
) -> Result<App, String> {
    let component = LoadedComponent::open(engine, artifact, name, config)?;
    App::new(manifest, Arc::new(component), config)
}

/// The module of an app, which names it in the log.
pub fn module(manifest: &Manifest) -> &str {
    manifest.app.split(':').next().unwrap_or_default()
}
