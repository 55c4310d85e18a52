//! The host as a library: loads apps into your own server.
//!
//! [`Host`] is a [`tower_service::Service`] of HTTP requests, and needs only a tokio runtime. Apps can be loaded and
//! unloaded while it serves; each has a path prefix. [`Plugin::call`] calls a handler as a function, without HTTP.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use bolt_host::embed::Host;
//!
//! let host = Host::builder().build()?;
//! let shop = host.load("shop", "/plugins/shop", "shop.wasm").await?;
//! // Any server can pass its `http` requests to `host`, which answers those below /plugins/shop/
//! let total: f64 = shop.call("total", serde_json::json!({"order": 7})).await?;
//! host.unload("shop");
//! # Ok(())
//! # }
//! ```
//!
//! Limits and grants default to those of `bolt-host run`; an app can be loaded with others:
//!
//! ```no_run
//! # async fn example(host: bolt_host::embed::Host) -> Result<(), Box<dyn std::error::Error>> {
//! use bolt_host::config::{AppConfig, Grant, Grants, Limits, MIB};
//! use std::time::Duration;
//!
//! let config = AppConfig {
//!     limits: Limits { memory: 64 * MIB, deadline: Duration::from_secs(2), ..Limits::default() },
//!     grants: Grants::new(vec![Grant::parse("api.example:443")?]),
//!     env: vec![("STAGE".to_owned(), "prod".to_owned())],
//!     ..AppConfig::default()
//! };
//! host.load_with("shop", "/plugins/shop", "shop.wasm", config).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Requests are answered as by any other service:
//!
//! ```no_run
//! # async fn example(mut host: bolt_host::embed::Host) {
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use hyper::Request;
//! use tower_service::Service;
//!
//! let request = Request::get("/plugins/shop/items").header("host", "shop.example");
//! let Ok(response) = host.call(request.body(Full::<Bytes>::default()).unwrap()).await;
//! assert_eq!(response.status(), 200);
//! # }
//! ```

mod call_args;
mod plugin;

pub use crate::http::response::HttpResponse;
pub use crate::http::response_body::ResponseBody;
pub use plugin::{CallError, Plugin};

use crate::apps::loader;
use crate::apps::slot::Slot;
use crate::apps::worker_apps::{WorkerApps, WorkerSlot};
#[cfg(feature = "redis")]
use crate::config::broker::BrokerUrl;
use crate::config::cache_folder::user_cache;
use crate::config::origin::Origin;
use crate::config::virtual_hosts::{self, Mount, VirtualHosts};
use crate::config::{AppConfig, Config};
use crate::http::head::Peer;
use crate::http::head::RequestBody;
use crate::http::pipeline;
use crate::http::upgrade;
use crate::pool::reclaim::Reclaim;
use crate::pool::worker::Worker;
use crate::sandbox::engine::{self, Engine};
use crate::util::locks::lock;
use hyper::Request;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use tower_service::Service;

/// Why a host cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// [`Builder::build`] was called outside a tokio runtime.
    #[error("a host needs a tokio runtime: build it inside one")]
    NoRuntime,
    /// No cache folder was given, and the user has none.
    #[error("{0}")]
    NoCache(String),
    /// The system refuses the address space, or the thread, that the engine needs.
    #[error("the instance pool cannot be created: {0}")]
    Engine(String),
    /// The topics of apps cannot be shared over this URL.
    #[cfg(feature = "redis")]
    #[error("{0}")]
    Topics(String),
}

/// Why an app cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The prefix is not a path prefix: why.
    #[error("{0}")]
    Prefix(String),
    /// Another app has this prefix: its name.
    #[error("{0} already has this prefix")]
    Taken(String),
    /// It cannot be built, compiled or linked: a message for its developer.
    #[error("{0}")]
    Broken(String),
    /// No instance of it can be created: why.
    #[error("{0}")]
    NoInstance(String),
}

/// The configuration of a host. Everything has a default.
#[derive(Debug)]
pub struct Builder {
    config: Config,
    apps: AppConfig,
    cache: Option<PathBuf>,
    #[cfg(feature = "redis")]
    topics: Option<String>,
}

impl Builder {
    /// Set the folder of components and compiled code [default: `bolt-host` in the user's cache folder].
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Set the default limits and grants of apps.
    pub fn apps(mut self, config: AppConfig) -> Self {
        self.apps = config;
        self
    }

    /// Set how many instances may be alive at once, of all apps.
    pub fn most_instances(mut self, count: usize) -> Self {
        self.config.most_instances = count;
        self
    }

    /// Share the topics of apps with other hosts, over Redis or Valkey: `redis://HOST:6379/0`, or `rediss://` for TLS.
    #[cfg(feature = "redis")]
    pub fn topics(mut self, url: impl Into<String>) -> Self {
        self.topics = Some(url.into());
        self
    }

    /// Build the host. It runs in the current tokio runtime.
    pub fn build(self) -> Result<Host, BuildError> {
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let cache = self.cache.map_or_else(user_cache, Ok).map_err(BuildError::NoCache)?;
        #[cfg_attr(not(feature = "redis"), expect(unused_mut, reason = "it has no topics to share"))]
        let mut engine = engine::engine(&self.config).map_err(|e| BuildError::Engine(format!("{e:#}")))?;
        #[cfg(feature = "redis")]
        if let Some(url) = &self.topics {
            let shared = BrokerUrl::parse(url).and_then(|url| engine.share_topics(&url));
            shared.map_err(BuildError::Topics)?;
        }
        let inner = Arc::new(Inner {
            engine,
            cache,
            defaults: self.apps,
            worker: Worker::of(runtime.clone(), Reclaim::default()),
            mounted: Mutex::default(),
            apps: Mutex::new(Arc::new(WorkerApps::of(Vec::new(), VirtualHosts::default()))),
        });
        runtime.spawn(tick(Arc::downgrade(&inner)));
        Ok(Host { inner })
    }
}

/// A set of apps, each below a path prefix. Clones share it.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    cache: PathBuf,
    defaults: AppConfig,
    worker: Arc<Worker>,
    mounted: Mutex<Vec<MountedApp>>,
    /// The apps as requests find them: rebuilt when one is loaded or unloaded.
    apps: Mutex<Arc<WorkerApps>>,
}

#[derive(Clone)]
struct MountedApp {
    mount: Mount,
    slot: Arc<WorkerSlot>,
}

impl Host {
    pub fn builder() -> Builder {
        Builder {
            config: Config::default(),
            apps: AppConfig::default(),
            cache: None,
            #[cfg(feature = "redis")]
            topics: None,
        }
    }

    /// Load an app, a `.py` file or a component, for all paths below `prefix`. It replaces an app of the same name,
    /// which finishes its requests. Builds and compiles what is not in the cache, on a separate thread. The imports of
    /// a Python file begin in its folder, of which the build sees a copy.
    pub async fn load(&self, name: &str, prefix: &str, app: impl AsRef<Path>) -> Result<Plugin, LoadError> {
        self.load_with(name, prefix, app, self.inner.defaults.clone()).await
    }

    /// Like [`Host::load`], with limits and grants for this app.
    pub async fn load_with(
        &self,
        name: &str,
        prefix: &str,
        app: impl AsRef<Path>,
        config: AppConfig,
    ) -> Result<Plugin, LoadError> {
        let prefix = virtual_hosts::prefix(prefix).map_err(LoadError::Prefix)?;
        let mount = Mount { hosts: Vec::new(), prefix };
        let left_out = config.places();
        let origin = Origin { path: app.as_ref().to_owned(), left_out, ..Origin::default() };
        let inner = self.inner.clone();
        let loading = move || loader::load(&origin, &inner.engine, &config, &inner.cache);
        let loaded = tokio::task::spawn_blocking(loading).await;
        let app = loaded.unwrap_or_else(|e| Err(e.to_string())).map_err(LoadError::Broken)?;
        let slot = Arc::new(WorkerSlot::new(Arc::new(Slot::new(name, app)), self.inner.worker.clone()));
        slot.open().await.map_err(LoadError::NoInstance)?;
        let change = self.inner.change(|mounted| {
            let old = mounted.iter().position(|other| other.slot.name() == name);
            let old = old.map(|index| mounted.remove(index));
            mounted.push(MountedApp { mount, slot: slot.clone() });
            old
        });
        change.map_err(LoadError::Taken)?;
        Ok(Plugin { slot })
    }

    /// Unload an app: it finishes its requests and gets no more. False when there is no app of that name.
    ///
    /// ```no_run
    /// # fn example(host: bolt_host::embed::Host) {
    /// for (name, prefix) in host.plugins() {
    ///     println!("unloading {name} at {prefix}");
    ///     host.unload(&name);
    /// }
    /// # }
    /// ```
    pub fn unload(&self, name: &str) -> bool {
        let removed = self.inner.change(|mounted| {
            let index = mounted.iter().position(|other| other.slot.name() == name)?;
            Some(mounted.remove(index))
        });
        removed.is_ok_and(|removed| removed)
    }

    /// A loaded app, by its name.
    pub fn plugin(&self, name: &str) -> Option<Plugin> {
        let mounted = lock(&self.inner.mounted);
        let found = mounted.iter().find(|app| app.slot.name() == name)?;
        Some(Plugin { slot: found.slot.clone() })
    }

    /// The names and prefixes of the loaded apps.
    pub fn plugins(&self) -> Vec<(String, String)> {
        let mounted = lock(&self.inner.mounted);
        mounted.iter().map(|app| (app.slot.name().to_owned(), app.mount.prefix.clone())).collect()
    }
}

impl Inner {
    /// Change the list of apps, and drain the app that `change` removes. Returns whether it removed one. If two apps
    /// would have one prefix, nothing changes, and the error names the app that has it.
    fn change(
        &self,
        change: impl FnOnce(&mut Vec<MountedApp>) -> Option<MountedApp>,
    ) -> Result<bool, String> {
        let mut mounted = lock(&self.mounted);
        let before = mounted.clone();
        let removed = change(&mut mounted);
        let mounts: Vec<_> = mounted.iter().map(|app| app.mount.clone()).collect();
        let hosts = match VirtualHosts::new(&mounts) {
            Ok(hosts) => hosts,
            Err((one, _)) => {
                let taken = mounted[one].slot.name().to_owned();
                *mounted = before;
                return Err(taken);
            }
        };
        let slots = mounted.iter().map(|app| app.slot.clone()).collect();
        *lock(&self.apps) = Arc::new(WorkerApps::of(slots, hosts));
        if let Some(removed) = &removed {
            removed.slot.leave();
        }
        Ok(removed.is_some())
    }
}

/// Maintain the instances once a second, and evict idle ones when an instance needs room, while the host is alive.
async fn tick(inner: Weak<Inner>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let Some(mut reclaim) = inner.upgrade().map(|inner| inner.worker.reclaim.requests()) else { return };
    loop {
        let is_second = tokio::select! {
            _ = seconds.tick() => true,
            Ok(()) = reclaim.changed() => false,
        };
        let Some(inner) = inner.upgrade() else { return };
        let apps = lock(&inner.apps).clone();
        if is_second { apps.tick() } else { apps.reclaim() }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send>>;

/// An app answers requests below its prefix; all others get a 404. The client's address is the `SocketAddr` among the
/// request's extensions, if there is one.
impl<B: RequestBody> Service<Request<B>> for Host {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Answering {
        let apps = lock(&self.inner.apps).clone();
        let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let address = request.extensions().get::<SocketAddr>().copied().unwrap_or(unknown);
        let peer =
            Peer { address, is_secure: request.uri().scheme_str() == Some("https"), is_ambiguous: false };
        let connection = upgrade::connection(request.extensions_mut());
        Box::pin(async move {
            let mut response = pipeline::handle(&apps, peer, request).await;
            upgrade::hand_over(&mut response, connection, None);
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_not_made_where_no_runtime_is() {
        assert!(matches!(Host::builder().build(), Err(BuildError::NoRuntime)));
    }
}
