//! The host as a library: apps loaded into somebody else's server.
//!
//! [`Host`] is a [`tower_service::Service`] of HTTP requests, and needs only a tokio runtime to live in. Apps come and go
//! while it serves; each has a prefix of paths. [`Plugin::call`] calls a handler as a function, without HTTP.
//!
//! ```no_run
//! # async fn example() -> Result<(), String> {
//! use bolt_host::embed::Host;
//!
//! let host = Host::builder().build()?;
//! let shop = host.load("shop", "/plugins/shop", "shop.wasm").await?;
//! // Any server of `http` requests may give them to `host`, which answers for /plugins/shop/…
//! let total: f64 = shop.call("total", serde_json::json!({"order": 7})).await.map_err(|e| e.to_string())?;
//! host.unload("shop");
//! # Ok(())
//! # }
//! ```
//!
//! Limits and grants are those of `bolt-host run`, unless an app is loaded with others:
//!
//! ```no_run
//! # async fn example(host: bolt_host::embed::Host) -> Result<(), String> {
//! use bolt_host::config::{AppConfig, Limits, MIB};
//! use bolt_host::grants::{Grant, Grants};
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
//! A request is answered as by any other service:
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

use crate::config::{AppConfig, Config};
use crate::engine::{self, Engine};
use crate::hosts::{self, Hosts, Mount};
use crate::lane::Core;
use crate::pipeline::{self, Peer};
pub use crate::plugin::{CallError, Plugin};
use crate::pressure::Pressure;
use crate::ready::{self, Origin};
use crate::request::RequestBody;
use crate::response::HttpResponse;
use crate::slot::Slot;
use crate::sync::lock;
use crate::table::{Place, Staffed};
use hyper::Request;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// What a host is to be. Everything has a default.
#[derive(Debug)]
pub struct Builder {
    config: Config,
    apps: AppConfig,
    cache: Option<PathBuf>,
}

impl Builder {
    /// Where components and compiled code are kept [default: `bolt-host` in the user's cache folder].
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// What apps may use and reach, unless they are loaded with something else.
    pub fn apps(mut self, config: AppConfig) -> Self {
        self.apps = config;
        self
    }

    /// Instances that may be alive at once, of all apps.
    pub fn most_instances(mut self, count: usize) -> Self {
        self.config.most_instances = count;
        self
    }

    /// Make the host. It lives in the tokio runtime that this is called in. The error is a sentence.
    pub fn build(self) -> Result<Host, String> {
        let cache = self.cache.map_or_else(crate::cli::user_cache, Ok)?;
        let engine = engine::engine(&self.config)
            .map_err(|e| format!("the pool of instances cannot be made: {e:#}"))?;
        let inner = Arc::new(Inner {
            engine,
            cache,
            defaults: self.apps,
            core: Core::current(Pressure::default()),
            apps: Mutex::default(),
            staffed: Mutex::new(Arc::new(Staffed::of(Vec::new(), Hosts::default()))),
        });
        tokio::spawn(tend(Arc::downgrade(&inner)));
        Ok(Host { inner })
    }
}

/// Apps, and the way to them. Clones are the same host.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    cache: PathBuf,
    defaults: AppConfig,
    core: Arc<Core>,
    apps: Mutex<Vec<Loaded>>,
    /// The apps as requests find them: made anew when one comes or goes.
    staffed: Mutex<Arc<Staffed>>,
}

#[derive(Clone)]
struct Loaded {
    mount: Mount,
    place: Arc<Place>,
}

impl Host {
    pub fn builder() -> Builder {
        Builder { config: Config::default(), apps: AppConfig::default(), cache: None }
    }

    /// Load an app, a `.py` file or a component, for all paths below `prefix`. An app of the same name is replaced:
    /// its requests end where they began. Builds and compiles what is not in the cache, on a thread of its own. The
    /// error is a text for people.
    pub async fn load(&self, name: &str, prefix: &str, app: impl AsRef<Path>) -> Result<Plugin, String> {
        self.load_with(name, prefix, app, self.inner.defaults.clone()).await
    }

    /// As [`Host::load`], with limits and grants of the app's own.
    pub async fn load_with(
        &self,
        name: &str,
        prefix: &str,
        app: impl AsRef<Path>,
        config: AppConfig,
    ) -> Result<Plugin, String> {
        let mount = Mount { hosts: Vec::new(), prefix: hosts::prefix(prefix)? };
        let origin =
            Origin { path: app.as_ref().to_owned(), app: None, linking: Default::default(), rebuild: false };
        let inner = self.inner.clone();
        let loading = move || ready::load(&origin, &inner.engine, &config, &inner.cache);
        let app = tokio::task::spawn_blocking(loading).await.map_err(|e| e.to_string())??;
        let place = Arc::new(Place::new(Arc::new(Slot::new(name, app)), self.inner.core.clone()));
        place.open().await?;
        self.inner.change(|apps| {
            let old = apps.iter().position(|other| other.place.name() == name);
            let old = old.map(|index| apps.remove(index));
            apps.push(Loaded { mount, place: place.clone() });
            old
        })?;
        Ok(Plugin { place })
    }

    /// No more requests come to this app; those that did are finished. False when there is none of that name.
    ///
    /// ```no_run
    /// # fn example(host: bolt_host::embed::Host) {
    /// for (name, prefix) in host.plugins() {
    ///     println!("{name} at {prefix} goes");
    ///     host.unload(&name);
    /// }
    /// # }
    /// ```
    pub fn unload(&self, name: &str) -> bool {
        let removed = self.inner.change(|apps| {
            let index = apps.iter().position(|other| other.place.name() == name)?;
            Some(apps.remove(index))
        });
        removed.is_ok_and(|removed| removed)
    }

    /// An app that is loaded.
    pub fn plugin(&self, name: &str) -> Option<Plugin> {
        let apps = lock(&self.inner.apps);
        let found = apps.iter().find(|loaded| loaded.place.name() == name)?;
        Some(Plugin { place: found.place.clone() })
    }

    /// Names and prefixes of the apps that are loaded.
    pub fn plugins(&self) -> Vec<(String, String)> {
        let apps = lock(&self.inner.apps);
        apps.iter().map(|loaded| (loaded.place.name().to_owned(), loaded.mount.prefix.clone())).collect()
    }
}

impl Inner {
    /// Change the list of apps; what was taken out ends. Returns whether something was.
    fn change(&self, change: impl FnOnce(&mut Vec<Loaded>) -> Option<Loaded>) -> Result<bool, String> {
        let mut apps = lock(&self.apps);
        let before = apps.clone();
        let removed = change(&mut apps);
        let mounts: Vec<_> = apps.iter().map(|loaded| loaded.mount.clone()).collect();
        let hosts = match Hosts::new(&mounts) {
            Ok(hosts) => hosts,
            Err((one, _)) => {
                let taken = format!("{} is there already", apps[one].place.name());
                *apps = before;
                return Err(taken);
            }
        };
        let places = apps.iter().map(|loaded| loaded.place.clone()).collect();
        *lock(&self.staffed) = Arc::new(Staffed::of(places, hosts));
        if let Some(removed) = &removed {
            removed.place.leave();
        }
        Ok(removed.is_some())
    }
}

/// See to the instances once a second, and when there is no room for others, for as long as the host lives.
async fn tend(inner: Weak<Inner>) {
    let mut beats = tokio::time::interval(Duration::from_secs(1));
    let Some(mut pressure) = inner.upgrade().map(|inner| inner.core.pressure.felt()) else { return };
    loop {
        let is_beat = tokio::select! {
            _ = beats.tick() => true,
            Ok(()) = pressure.changed() => false,
        };
        let Some(inner) = inner.upgrade() else { return };
        let staffed = lock(&inner.staffed).clone();
        if is_beat { staffed.tend() } else { staffed.make_room() }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send>>;

/// Requests below the prefix of an app are answered by it, all others with 404. The client's address is taken from a
/// `SocketAddr` among the extensions of a request, if there is one.
impl<B: RequestBody> Service<Request<B>> for Host {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let staffed = lock(&self.inner.staffed).clone();
        let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let address = request.extensions().get::<SocketAddr>().copied().unwrap_or(unknown);
        let peer =
            Peer { address, is_secure: request.uri().scheme_str() == Some("https"), is_ambiguous: false };
        Box::pin(async move { Ok(pipeline::handle(&staffed, peer, request).await) })
    }
}
