//! The stores of one app, over all workers and versions.

use crate::config::kv::{KvGrant, KvPlace};
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::config::{AppConfig, databases};
use crate::kv::command::Command;
#[cfg(feature = "redis")]
use crate::kv::redis::RedisStore;
use crate::kv::reply::Reply;
use crate::kv::store::{Store, Terms};
use crate::sql::job::Held;
use crate::sql::problem::{Kind, SqlProblem};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a command may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    pub deadline: Duration,
    /// Of a value, in bytes.
    pub value: usize,
    /// What sets that, as messages name it.
    pub limit: String,
}

pub struct Stores {
    granted: Vec<(KvGrant, Option<Backend>)>,
    bounds: Bounds,
    /// Of a file.
    most_bytes: u64,
    /// What results hold that nobody has read.
    pub unread: Held,
}

/// What runs the commands.
#[derive(Clone)]
pub enum Backend {
    File(Arc<Store>),
    #[cfg(feature = "redis")]
    Redis(Arc<RedisStore>),
}

impl Backend {
    /// The value of a key, if it can be had at once.
    pub fn get_now(&self, key: &str) -> Option<Option<Vec<u8>>> {
        match self {
            Self::File(store) => store.get_now(key),
            #[cfg(feature = "redis")]
            Self::Redis(_) => None,
        }
    }

    pub fn submit(&self, command: Command, end: Instant, reply: Reply) {
        match self {
            Self::File(store) => store.submit(command, end, reply),
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.submit(command, end, reply),
        }
    }
}

impl Stores {
    pub fn new(app: &str, config: &AppConfig) -> Self {
        let (app, limits): (Arc<str>, _) = (app.into(), &config.limits);
        let granted = config.kv.iter().map(|grant| {
            let made = backend(&app, grant, config);
            if let Err(why) = &made {
                tracing::error!(app = &*app, "the store {}: {why}", grant.name);
            }
            (grant.clone(), made.ok())
        });
        let granted = granted.collect();
        let limit = limit_name::of(Limit::KvValue);
        let bounds = Bounds { deadline: limits.deadline, value: limits.kv_value, limit };
        Self { granted, bounds, most_bytes: limits.kv_size as u64, unread: Held::default() }
    }

    /// Whether these are stores of the same app, with the same grants and limits.
    pub fn are_like(&self, other: &Self) -> bool {
        let terms = |all: &Self| -> Vec<_> {
            all.granted.iter().map(|(grant, backend)| (grant.clone(), backend.is_some())).collect()
        };
        (&self.bounds, self.most_bytes) == (&other.bounds, other.most_bytes) && terms(self) == terms(other)
    }

    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// A store by the name that the app knows.
    pub fn get(&self, name: &str) -> Result<&Backend, SqlProblem> {
        let Some((_, store)) = self.granted.iter().find(|(grant, _)| grant.name == name) else {
            let shown: String = name.chars().take(64).collect();
            let flag = limit_name::pick("--kv NAME=FILE", "[app.NAME.kv]", "AppConfig::kv");
            let told = format!("this app has no store {shown:?}: it is granted with {flag}");
            return Err(SqlProblem::new(Kind::Denied, told));
        };
        store
            .as_ref()
            .ok_or_else(|| SqlProblem::new(Kind::Denied, format!("this app may not use the store {name:?}")))
    }
}

/// The error is a sentence for the operator.
fn backend(app: &Arc<str>, grant: &KvGrant, config: &AppConfig) -> Result<Backend, String> {
    match &grant.place {
        KvPlace::File(file) => {
            databases::apart_file(&grant.name, file, config.preopens.places_to_write())?;
            let terms = Terms { path: databases::resolved(file), most_bytes: config.limits.kv_size as u64 };
            Ok(Backend::File(Store::new(app.clone(), grant.name.clone(), terms)))
        }
        #[cfg(feature = "redis")]
        KvPlace::Redis(url) => RedisStore::new(app, &grant.name, &url.0).map(Backend::Redis),
        #[cfg(not(feature = "redis"))]
        KvPlace::Redis(_) => Err("this program was built without Redis".to_owned()),
    }
}
