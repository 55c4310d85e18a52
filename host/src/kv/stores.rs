//! The stores of one app, over all workers and versions.

use crate::config::kv::KvGrant;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::config::{AppConfig, databases};
use crate::kv::store::{Store, Terms};
use crate::sql::problem::{Kind, SqlProblem};
use std::sync::Arc;
use std::time::Duration;

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
    granted: Vec<(KvGrant, Option<Arc<Store>>)>,
    bounds: Bounds,
}

impl Stores {
    pub fn new(app: &str, config: &AppConfig) -> Self {
        let (app, limits): (Arc<str>, _) = (app.into(), &config.limits);
        let granted = config.kv.iter().map(|grant| {
            let apart = databases::apart_file(&grant.name, &grant.file, config.preopens.places_to_write());
            if let Err(why) = &apart {
                tracing::error!(app = &*app, "{why}");
            }
            let terms = Terms { path: databases::resolved(&grant.file), most_bytes: limits.kv_size as u64 };
            (grant.clone(), apart.ok().map(|()| Store::new(app.clone(), grant.name.clone(), terms)))
        });
        let granted = granted.collect();
        let limit = limit_name::of(Limit::KvValue);
        Self { granted, bounds: Bounds { deadline: limits.deadline, value: limits.kv_value, limit } }
    }

    /// Whether these are stores of the same app, with the same grants and limits.
    pub fn are_like(&self, other: &Self) -> bool {
        let terms = |all: &Self| -> Vec<_> {
            let of = |store: &Arc<Store>| store.terms().clone();
            all.granted.iter().map(|(grant, store)| (grant.clone(), store.as_ref().map(of))).collect()
        };
        self.bounds == other.bounds && terms(self) == terms(other)
    }

    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// A store by the name that the app knows.
    pub fn get(&self, name: &str) -> Result<&Arc<Store>, SqlProblem> {
        let Some((_, store)) = self.granted.iter().find(|(grant, _)| grant.name == name) else {
            let flag = limit_name::pick("--kv", "[app.NAME.kv]", "AppConfig::kv");
            let shown: String = name.chars().take(64).collect();
            return Err(SqlProblem::new(Kind::Denied, format!("this app has no store {shown:?} ({flag})")));
        };
        store
            .as_ref()
            .ok_or_else(|| SqlProblem::new(Kind::Denied, format!("this app may not use the store {name:?}")))
    }
}
