//! What all instances of an app have in common.

use crate::config::app_source::Source;
use crate::config::egress::Grants;
use crate::config::preopens::Preopens;
use crate::kv::stores::Stores;
use crate::quota::body_budget::BodyBudget;
use crate::quota::connections::ConnectionQuota;
use crate::quota::files::FileQuota;
use crate::quota::storage::StorageQuota;
use crate::quota::streams::StreamQuota;
use crate::sandbox::stdio::LogRate;
use crate::sql::databases::Databases;
use crate::topics::topic::Topics;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// Limits, grants and environment of every instance of an app.
#[derive(Clone)]
pub struct InstanceSpec {
    /// The app's name in the log.
    pub name: Arc<str>,
    /// Log rate limit of all instances together.
    pub log_rate: Arc<LogRate>,
    /// Most linear memory of an instance, in bytes.
    pub memory_limit: usize,
    /// Descriptors of all instances together.
    pub files: FileQuota,
    /// What they may store.
    pub storage: Arc<StorageQuota>,
    /// Responses that flow, of all instances together.
    pub streams: StreamQuota,
    /// What they publish and subscribe to.
    pub topics: Arc<Topics>,
    /// The databases that they may use.
    pub databases: Arc<Databases>,
    /// The stores of keys and values that they may use.
    pub stores: Arc<Stores>,
    /// The servers that they may connect to over TCP, and with what.
    pub tcp: (Arc<Grants>, ConnectionQuota),
    /// Largest event of a topic, in bytes.
    pub max_message: usize,
    /// Room on the disk for uploaded files of requests in progress.
    pub uploads: BodyBudget,
    /// Most outbound requests that an instance may have open.
    pub max_exchanges: usize,
    /// How long work after a reply may take.
    pub linger: Duration,
    /// How long an instance may take to start.
    pub start_timeout: Duration,
    /// How many instances there are.
    pub alive: Arc<AtomicUsize>,
    /// Folders that they may read or write.
    pub preopens: Arc<Preopens>,
    /// Their environment.
    pub env: Arc<[(String, String)]>,
    /// The app that each instance loads, if the component is a runner.
    pub source: Option<Arc<Source>>,
}
