//! An app that is kept on disk, compiled, until somebody asks for it.

use crate::app::App;
use crate::artifact::Artifact;
use crate::builder;
use crate::config::AppConfig;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::hosts::Mount;
use crate::keeper::Stamp;
use crate::ready::{self, Origin};
use crate::sync::lock;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

/// An app of a host file.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub name: String,
    pub origin: Origin,
    pub mount: Mount,
    pub config: AppConfig,
}

/// What an app was compiled to.
#[derive(Debug, Clone)]
pub struct Version {
    /// Begins with the hash of its component.
    pub id: String,
    pub artifact: Artifact,
    pub since: SystemTime,
}

/// Somebody has cleared the cache.
const LOST: &str = "its compiled code is not in the cache any more";

/// What is known of an app that may not be loaded.
#[derive(Debug, Clone)]
pub enum State {
    /// It is being built, or compiled, or about to be.
    Unbuilt,
    Ready(Version),
    /// There is nothing to serve, and why.
    Broken(String),
}

pub struct Stored {
    pub tenant: Tenant,
    pub engine: Engine,
    pub cache: PathBuf,
    state: Mutex<State>,
    /// What its files were when they were last looked at. Held while one of them is replaced.
    seen: Mutex<Stamp>,
    /// Held while it is loaded or replaced: requests that come meanwhile wait for the same app.
    pub loading: tokio::sync::Mutex<()>,
}

impl Stored {
    pub fn new(tenant: Tenant, engine: Engine, cache: PathBuf) -> Self {
        let loading = tokio::sync::Mutex::default();
        Self { tenant, engine, cache, state: Mutex::new(State::Unbuilt), seen: Mutex::default(), loading }
    }

    pub fn seen(&self) -> MutexGuard<'_, Stamp> {
        lock(&self.seen)
    }

    pub fn state(&self) -> State {
        lock(&self.state).clone()
    }

    /// From now on this is what is loaded.
    pub fn is_now(&self, state: State) {
        *lock(&self.state) = state;
    }

    /// Map the compiled code, which takes milliseconds, off the worker's thread.
    pub async fn load(&self) -> Result<App, Fault> {
        let version = match self.state() {
            State::Ready(version) => version,
            State::Unbuilt => return Err(Fault::NotBuilt("it is being built".to_owned())),
            State::Broken(why) => return Err(Fault::NotBuilt(why)),
        };
        let (tenant, engine) = (self.tenant.clone(), self.engine.clone());
        let loading = tokio::task::spawn_blocking(move || open(&tenant, &engine, &version.artifact));
        let loaded = loading.await.map_err(|e| e.to_string()).and_then(|loaded| loaded);
        if loaded.as_ref().is_err_and(|why| why == LOST) {
            // It is made again.
            self.is_now(State::Unbuilt);
        }
        loaded.map_err(Fault::NotBuilt)
    }

    /// Build and compile what the tenant's file is now. The error is a text for people.
    pub fn prepare(&self) -> Result<Version, String> {
        self.prepare_file(&self.tenant.origin.component(&self.cache)?)
    }

    /// Compile a component that is to be this app.
    pub fn prepare_file(&self, wasm: &Path) -> Result<Version, String> {
        let config = &self.tenant.config;
        let (artifact, _) = builder::compile(&self.engine, wasm, &self.cache, config, false)?;
        // Whoever asks for the app first need not wait until this has come from the disk.
        if let Some(code) = artifact.shared() {
            self.engine.code(&code)?;
        }
        Ok(Version { id: artifact.id(), artifact, since: SystemTime::now() })
    }

    /// Load a version to see whether it can be served.
    pub fn open(&self, version: &Version) -> Result<App, String> {
        open(&self.tenant, &self.engine, &version.artifact)
    }
}

fn open(tenant: &Tenant, engine: &Engine, artifact: &Artifact) -> Result<App, String> {
    let manifest = builder::cached(artifact).ok_or(LOST)?;
    ready::open(artifact, manifest, &tenant.name, engine, &tenant.config)
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("tenant", &self.tenant.name).field("state", &self.state()).finish()
    }
}
