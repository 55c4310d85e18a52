//! What the host does, resolved: every default is here.

pub(crate) mod admin_address;
pub(crate) mod app_source;
pub(crate) mod cache_folder;
pub(crate) mod egress;
#[cfg(feature = "cli")]
pub(crate) mod host_file;
pub(crate) mod limit_name;
pub(crate) mod limit_table;
pub(crate) mod limits;
pub(crate) mod origin;
pub(crate) mod preopens;
pub(crate) mod units;
pub(crate) mod virtual_hosts;

pub use crate::config::egress::{Grant, Grants};
pub use crate::config::limits::Limits;
pub use crate::config::preopens::{Preopen, Preopens};
pub use crate::config::units::MIB;

use crate::config::admin_address::Address;
use crate::config::limits::{ServerLimits, most_instances};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// What an app may use and reach.
#[derive(Debug, Clone, Default)]
pub struct AppConfig {
    pub limits: Limits,
    /// Where it may connect to.
    pub grants: Grants,
    /// What it may read, and write.
    pub preopens: Preopens,
    /// All that it sees of an environment.
    pub env: Vec<(String, String)>,
}

/// Files in PEM form.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    /// The certificate, and those between it and one that clients know.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// The host itself.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub listen: Vec<SocketAddr>,
    /// Without it, connections are not encrypted.
    pub tls: Option<TlsFiles>,
    /// Another host may listen on the same addresses, and gets its share of new connections.
    pub share_port: bool,
    /// Where operators find health and metrics.
    pub admin: Option<Address>,
    /// Threads, each with its own listener and instances.
    pub workers: usize,
    /// Instances that may be alive at once, of all apps.
    pub most_instances: usize,
    pub limits: ServerLimits,
}

impl Default for Config {
    /// One worker on the default address: enough for the commands that serve nothing.
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 8000)],
            tls: None,
            share_port: false,
            admin: None,
            workers: 1,
            most_instances: most_instances(1, &Limits::default()),
            limits: ServerLimits::default(),
        }
    }
}
