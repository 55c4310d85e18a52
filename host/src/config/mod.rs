//! The resolved configuration of the host and its apps, with all defaults.

pub(crate) mod admin_access;
pub(crate) mod admin_address;
pub(crate) mod app_source;
pub(crate) mod broker;
pub(crate) mod cache_folder;
pub(crate) mod databases;
pub(crate) mod egress;
pub(crate) mod granted_folder;
#[cfg(feature = "cli")]
pub(crate) mod host_file;
pub(crate) mod kv;
pub(crate) mod limit;
pub(crate) mod limit_kind;
pub(crate) mod limit_name;
pub(crate) mod limit_table;
pub(crate) mod limits;
pub(crate) mod mistakes;
pub(crate) mod origin;
pub(crate) mod packages;
pub(crate) mod preopens;
pub(crate) mod units;
pub(crate) mod virtual_hosts;

pub use crate::config::databases::DatabaseGrant;
pub use crate::config::egress::{Grant, Grants};
pub use crate::config::kv::KvGrant;
pub use crate::config::limits::Limits;
pub use crate::config::preopens::{Preopen, Preopens};
pub use crate::config::units::MIB;
pub use crate::manifest::isolation::Isolation;

use crate::config::admin_access::AdminAccess;
use crate::config::admin_address::Address;
use crate::config::broker::BrokerUrl;
use crate::config::limits::{ServerLimits, most_instances};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// The limits and permissions of an app.
#[derive(Debug, Clone, Default)]
pub struct AppConfig {
    pub limits: Limits,
    /// The hosts that it may connect to.
    pub grants: Grants,
    /// The hosts and ports that it may connect to over TCP.
    pub tcp: Grants,
    /// The folders that it may read or write.
    pub preopens: Preopens,
    /// The databases that it may use.
    pub databases: Vec<DatabaseGrant>,
    /// The stores of keys and values that it may use.
    pub kv: Vec<KvGrant>,
    /// All environment variables that it sees.
    pub env: Vec<(String, String)>,
    /// How requests share its interpreters, for routes that do not say it.
    pub isolation: Option<Isolation>,
}

impl AppConfig {
    /// The folders that are granted, by their paths on the host.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        self.preopens.iter().map(|folder| folder.place.clone()).collect()
    }
}

/// Files in PEM format.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    /// The certificate, and its intermediate certificates.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// The configuration of the host itself.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub listen: Vec<SocketAddr>,
    /// Without it, connections are not encrypted.
    pub tls: Option<TlsFiles>,
    /// Another host process may listen on the same addresses, and gets its share of new connections.
    pub share_port: bool,
    /// The address of the admin endpoint.
    pub admin: Option<Address>,
    pub admin_access: AdminAccess,
    /// Where topics meet those of other hosts.
    pub topics: Option<BrokerUrl>,
    /// Threads, each with its own listener and instances.
    pub workers: usize,
    /// Maximum number of live instances, over all apps.
    pub most_instances: usize,
    pub limits: ServerLimits,
}

impl Default for Config {
    /// One worker on the default address: enough for commands that do not serve.
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 8000)],
            tls: None,
            share_port: false,
            admin: None,
            admin_access: AdminAccess::default(),
            topics: None,
            workers: 1,
            most_instances: most_instances(1, &Limits::default()),
            limits: ServerLimits::default(),
        }
    }
}
