//! Runs apps from source: the runner is a component without an app, built once, that loads an app when it starts.
//!
//! Building an app takes 10 s, loading its source 50 ms. So `dev` serves the source, and so does `run` while it builds. Compiled
//! modules cannot be loaded later: an app that has some has a runner with them. Importing large packages takes seconds: `dev` builds
//! a runner that has done it.

use crate::apps::app::App;
use crate::builder::app_files::{AppFiles, PackageFiles};
use crate::builder::compiler;
use crate::builder::early_imports::{EarlyImports, Imported};
use crate::builder::extensions::Extensions;
use crate::builder::from_source::{self, Planned};
use crate::builder::packages;
use crate::builder::python_env::Early;
use crate::config::AppConfig;
use crate::config::app_source::{AppRef, Source};
use crate::config::origin::Origin;
use crate::manifest::Manifest;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::engine::Engine;
use crate::util::cache_files;
use crate::util::locks::lock;
use crate::util::progress;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Loads apps from source.
#[derive(Clone)]
pub struct Runner(Arc<Shared>);

struct Shared {
    engine: Engine,
    /// The name of the app that it loads, which has the app's databases, stores and topics too.
    app: String,
    config: AppConfig,
    cache: PathBuf,
    /// Has the copies of apps.
    work: PathBuf,
    package_imports: PackageImports,
    /// A runner that has imported the packages of the app is being built.
    building: AtomicBool,
    current: Mutex<Current>,
}

/// When an app's packages are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageImports {
    /// Whenever the app is loaded.
    WithApp,
    /// Before, if there is a runner that did it.
    EarlyIfBuilt,
    /// Before: a runner that does it is built, because the app will be loaded again and again.
    Early,
}

/// The runner in use.
struct Current {
    /// The compiled modules and the packages that it is for.
    key: String,
    component: LoadedComponent,
    /// What it has imported.
    early: Option<EarlyImports>,
}

/// A load of an app, and what its runner has to have.
struct Loading {
    app: AppRef,
    files: AppFiles,
    source: Source,
    extensions: Extensions,
}

impl Loading {
    /// What a runner has to have in common with another one to stand in for it.
    fn key(&self) -> String {
        format!("{}{}", self.extensions.key, self.files.packages().map_or("", PackageFiles::key))
    }
}

impl Runner {
    /// Take the runner for an app from the cache, or build it. The error is a user-facing message.
    pub fn ready(
        engine: &Engine,
        app: &str,
        config: &AppConfig,
        cache: &Path,
        package_imports: PackageImports,
    ) -> Result<Self, String> {
        let component = component(engine, app, config, cache, (&Extensions::default(), None))?;
        Ok(Self(Arc::new(Shared {
            engine: engine.clone(),
            app: app.to_owned(),
            config: config.clone(),
            cache: cache.to_owned(),
            work: from_source::work(cache)?,
            package_imports,
            building: AtomicBool::new(false),
            current: Mutex::new(Current { key: String::new(), component, early: None }),
        })))
    }

    /// Load an app from its current source. The error is a message for its developer.
    pub async fn load(&self, app: &AppRef, show_errors: bool) -> Result<App, String> {
        let app = app.clone();
        let (loading, runner, early) = self
            .aside(move |own| {
                let files = AppFiles::of(&app)?;
                let source = own.source(&app, &files, show_errors)?;
                let extensions = Extensions::of(&source.app.folder, &files.paths())?;
                let loading = Loading { app, files, source, extensions };
                own.runner(&loading).map(|(runner, early)| (loading, runner, early))
            })
            .await?;
        let mut component = runner.running(loading.source.clone())?;
        let mut json = compiler::ask(&component, &self.0.config.limits).await?;
        if let Some(packages) = loading.files.packages() {
            let wanted = EarlyImports::wanted(&Imported::of(&json), packages);
            let (loading, early) = (Arc::new(loading), early.unwrap_or_default());
            // Packages may have read what the app sets before it imports them.
            if !early.modules.is_empty() && early.variables != wanted.variables {
                let again = loading.clone();
                let runner = self.aside(move |own| own.plain_runner(&again)).await?;
                component = runner.running(loading.source.clone())?;
                json = compiler::ask(&component, &self.0.config.limits).await?;
            }
            if !early.suffice(&wanted) {
                self.import_early(loading, wanted);
            }
        }
        App::new(Manifest::parse(&json)?, Arc::new(component), &self.0.config)
    }

    /// Do what takes a while, such as building a runner.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let own = self.clone();
        tokio::task::spawn_blocking(move || work(&own)).await.map_err(|e| e.to_string())?
    }

    /// The runner for an app, and what it has imported.
    fn runner(&self, loading: &Loading) -> Result<(LoadedComponent, Option<EarlyImports>), String> {
        let Shared { engine, cache, current, .. } = &*self.0;
        let key = loading.key();
        let current = &mut *lock(current);
        if current.key != key {
            let packages = loading.files.packages();
            let wanted = packages.filter(|_| self.0.package_imports != PackageImports::WithApp);
            let early = wanted.and_then(|packages| {
                let early = EarlyImports::recall(&loading.app, packages, cache)?;
                let planned = Planned::of_runner(&loading.extensions, Some((&early, packages)), cache);
                planned.compiled(engine, cache).map(|_| early)
            });
            let component = self.component(&loading.extensions, early.as_ref().zip(packages))?;
            *current = Current { key, component, early };
        }
        Ok((current.component.clone(), current.early.clone()))
    }

    /// The runner for an app that has imported nothing, from now on.
    fn plain_runner(&self, loading: &Loading) -> Result<LoadedComponent, String> {
        let component = self.component(&loading.extensions, None)?;
        *lock(&self.0.current) = Current { key: loading.key(), component: component.clone(), early: None };
        Ok(component)
    }

    /// Build a runner that has imported what the app wants, for later loads. Nobody waits for it.
    fn import_early(&self, loading: Arc<Loading>, wanted: EarlyImports) {
        if self.0.package_imports != PackageImports::Early || self.0.building.swap(true, Ordering::Relaxed) {
            return;
        }
        let own = self.clone();
        thread::spawn(move || {
            let Some(packages) = loading.files.packages() else { return };
            match own.component(&loading.extensions, Some((&wanted, packages))) {
                Ok(component) => {
                    wanted.keep(&loading.app, packages, &own.0.cache);
                    let mut current = lock(&own.0.current);
                    if current.key == loading.key() {
                        current.component = component;
                        current.early = Some(wanted);
                    }
                    own.0.building.store(false, Ordering::Relaxed);
                }
                // And is not tried again: it would fail again.
                Err(why) => progress::tell(format_args!(
                    "    warning: the app's packages are imported again after each edit, because {why}"
                )),
            }
        });
    }

    fn component(&self, extensions: &Extensions, early: Early<'_>) -> Result<LoadedComponent, String> {
        let Shared { engine, app, config, cache, .. } = &*self.0;
        component(engine, app, config, cache, (extensions, early))
    }

    /// The app of an origin, with its packages. The error is a message for its developer.
    pub async fn app_of(&self, origin: &Origin) -> Result<AppRef, String> {
        let Shared { config, cache, .. } = &*self.0;
        if let Some(app) = packages::app_of(origin, cache)? {
            return Ok(app);
        }
        let (origin, limits, cache) = (origin.clone(), config.limits.clone(), cache.clone());
        let installing = tokio::task::spawn_blocking(move || packages::ready(&origin, &limits, &cache));
        Ok(installing.await.map_err(|e| e.to_string())??)
    }

    /// Its folder has more in it than the app, so interpreters see a copy of what a build would have.
    fn source(&self, app: &AppRef, files: &AppFiles, show_errors: bool) -> Result<Source, String> {
        let copy = cache_files::scratch(&self.0.work, "source")
            .map_err(|e| format!("the app cannot be copied: {e}"))?;
        files.link(copy.path(), self.0.config.limits.build_disk as u64)?;
        let folder = copy.path().to_owned();
        let app = AppRef { folder, left_out: Vec::new(), packages: None, ..app.clone() };
        Ok(Source { app, show_errors, _copy: Some(Arc::new(copy)) })
    }
}

fn component(
    engine: &Engine,
    app: &str,
    config: &AppConfig,
    cache: &Path,
    (extensions, early): (&Extensions, Early<'_>),
) -> Result<LoadedComponent, String> {
    let (_, artifact) = from_source::runner(extensions, early, (engine, &config.limits), cache)?;
    LoadedComponent::open(engine, &artifact, app, config)
}
