//! A dormant app: compiled code on disk, which is loaded when a request comes.

use crate::apps::app::App;
use crate::apps::file_stamps::FileStamps;
use crate::apps::loader;
use crate::apps::version_store::{ID, VersionStore};
use crate::builder::compiler;
use crate::builder::prepare::{Prepared, prepare};
use crate::builder::refusal::{Pace, Refusal};
use crate::config::origin::{Origin, Tenant};
use crate::error::Fault;
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::engine::Engine;
use crate::util::cache_files;
use crate::util::locks::lock;
use crate::util::printable;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::SystemTime;

/// Longest warning about an app, in bytes.
pub const MOST_WARNED: usize = 500;

/// A compiled version of an app.
#[derive(Debug, Clone)]
pub struct Version {
    /// The start of its component's hash.
    pub id: String,
    pub artifact: Artifact,
    pub since: SystemTime,
}

/// Why a version cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The cache was cleared: it has to be compiled again.
    #[error("its compiled code is no longer in the cache")]
    Missing,
    /// A user-facing message.
    #[error("{0}")]
    Refused(String),
}

/// The build state of an app, loaded or not.
#[derive(Debug, Clone)]
pub enum BuildState {
    /// It is being built or compiled, or is about to be.
    Unbuilt,
    Ready(Version),
    /// It cannot be served: why.
    Broken(String),
}

pub struct DormantApp {
    pub tenant: Tenant,
    pub engine: Engine,
    pub cache: PathBuf,
    /// Its deployed versions, if it has any.
    pub store: Option<VersionStore>,
    state: Mutex<BuildState>,
    /// Why its current files are not served, while an older version is.
    refused: Mutex<Option<String>>,
    /// The stamps of its files when they were last checked. Locked while one of them is replaced.
    seen: Mutex<FileStamps>,
    /// Locked while it is loaded or replaced: requests that come meanwhile wait for the same load.
    pub loading: tokio::sync::Mutex<()>,
}

impl DormantApp {
    pub fn new(tenant: Tenant, engine: Engine, cache: PathBuf, store: Option<VersionStore>) -> Self {
        let loading = tokio::sync::Mutex::default();
        Self {
            tenant,
            engine,
            cache,
            store,
            state: Mutex::new(BuildState::Unbuilt),
            refused: Mutex::default(),
            seen: Mutex::default(),
            loading,
        }
    }

    /// Waits for a deployment or a build of this app in progress.
    pub fn seen(&self) -> MutexGuard<'_, FileStamps> {
        lock(&self.seen)
    }

    /// Like [`DormantApp::seen`]; None while a deployment or a build of this app is in progress.
    pub fn try_seen(&self) -> Option<MutexGuard<'_, FileStamps>> {
        match self.seen.try_lock() {
            Ok(seen) => Some(seen),
            Err(TryLockError::Poisoned(seen)) => Some(seen.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub fn state(&self) -> BuildState {
        lock(&self.state).clone()
    }

    pub fn set_state(&self, state: BuildState) {
        *lock(&self.refused) = None;
        *lock(&self.state) = state;
    }

    /// Why its current files are not served, while an older version is.
    pub fn refused(&self) -> Option<String> {
        lock(&self.refused).clone()
    }

    pub fn set_refused(&self, why: Option<String>) {
        *lock(&self.refused) = why;
    }

    /// Load the compiled code, which takes milliseconds, off the worker's thread.
    pub async fn load(&self) -> Result<App, Fault> {
        let version = match self.state() {
            BuildState::Ready(version) => version,
            BuildState::Unbuilt => return Err(Fault::NotBuilt("it is being built".to_owned())),
            BuildState::Broken(why) => return Err(Fault::NotBuilt(why)),
        };
        let (tenant, engine) = (self.tenant.clone(), self.engine.clone());
        let loading = tokio::task::spawn_blocking(move || open(&tenant, &engine, &version.artifact));
        let loaded = loading.await.unwrap_or_else(|e| Err(OpenError::Refused(e.to_string())));
        if matches!(loaded, Err(OpenError::Missing)) {
            self.set_state(BuildState::Unbuilt);
        }
        loaded.map_err(|why| Fault::NotBuilt(why.to_string()))
    }

    /// Build and compile what is to be served: the deployed version, or the tenant's own file.
    pub fn prepare(&self) -> Result<Version, Refusal> {
        let mut origin = self.tenant.origin.clone();
        if let Some(file) = self.deployed().map_err(Refusal::lasting)? {
            origin.path = file;
        }
        self.version_of(&origin, Pace::Background)
    }

    /// The component of the deployed version that is served. A file that the operator has replaced since takes its place.
    fn deployed(&self) -> Result<Option<PathBuf>, String> {
        let Some(store) = self.store.as_ref().filter(|_| !self.tenant.origin.is_python()) else {
            return Ok(None);
        };
        let mut record = store.read()?;
        let Some(id) = record.current.clone() else { return Ok(None) };
        if !record.pinned
            && let Ok(file) = self.own_file()
            && file != record.file
        {
            (record.current, record.file) = (None, file);
            store.write(&record)?;
            return Ok(None);
        }
        Ok(Some(store.component(&id)))
    }

    /// The version that the tenant's own file is.
    pub fn own_file(&self) -> Result<String, String> {
        let path = &self.tenant.origin.path;
        let digest = cache_files::digest_of(path, &self.cache);
        digest.map(|digest| digest[..ID].to_owned()).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Compile a component as a version of this app.
    pub fn prepare_file(&self, wasm: &Path) -> Result<Version, Refusal> {
        let origin = Origin { path: wasm.to_owned(), ..self.tenant.origin.clone() };
        self.version_of(&origin, Pace::Foreground)
    }

    fn version_of(&self, origin: &Origin, pace: Pace) -> Result<Version, Refusal> {
        let limits = &self.tenant.config.limits;
        let Prepared { artifact, manifest, .. } = prepare(origin, &self.engine, limits, &self.cache, pace)?;
        for text in manifest.frozen_values(&self.tenant.config.env) {
            tracing::warn!(app = self.tenant.name, "{}", printable::line(&text, MOST_WARNED));
        }
        // Map it now, so that the first request need not wait for the disk.
        if let Some(code) = artifact.shared() {
            self.engine.code(&code).map_err(Refusal::passing)?;
        }
        Ok(Version { id: artifact.id(), artifact, since: SystemTime::now() })
    }

    /// Load a version, to check that it can be served.
    pub fn open(&self, version: &Version) -> Result<App, OpenError> {
        open(&self.tenant, &self.engine, &version.artifact)
    }
}

fn open(tenant: &Tenant, engine: &Engine, artifact: &Artifact) -> Result<App, OpenError> {
    let cached = compiler::cached(artifact, &tenant.config.limits).map_err(OpenError::Refused)?;
    let manifest = cached.ok_or(OpenError::Missing)?;
    loader::open(artifact, manifest, &tenant.name, engine, &tenant.config).map_err(OpenError::Refused)
}

impl std::fmt::Debug for DormantApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DormantApp").field("tenant", &self.tenant.name).field("state", &self.state()).finish()
    }
}
