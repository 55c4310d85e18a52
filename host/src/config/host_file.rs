//! `host.toml`, the configuration of a host with many apps: reports all mistakes, each with its line.

use crate::config::admin_access::{self, AdminAccess, AdminToken};
use crate::config::admin_address::Address;
use crate::config::app_source::{AppRef, Root};
use crate::config::broker::BrokerUrl;
use crate::config::databases::{self, DatabaseGrant};
use crate::config::egress::{Grant, Grants};
use crate::config::kv::KvGrant;
use crate::config::limit_table::{Limit, Place, Row, TABLE};
use crate::config::limits::{Limits, ServerLimits, most_instances};
use crate::config::mistakes::Mistakes;
use crate::config::origin::{Origin, Tenant};
use crate::config::packages::{PackageSource, PackageTerms};
use crate::config::preopens::{Preopen, Preopens};
use crate::config::units;
use crate::config::virtual_hosts::{self, Mount, VirtualHosts};
use crate::config::{AppConfig, Config, TlsFiles};
use crate::manifest::isolation::Isolation;
use serde::{Deserialize, Deserializer, de};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// A parsed host file.
#[derive(Debug)]
pub struct HostFile {
    pub config: Config,
    /// An app without requests for this long is evicted.
    pub idle: Duration,
    /// Apps that are built at a time.
    pub builders: usize,
    pub tenants: Vec<Tenant>,
}

impl HostFile {
    /// `cores`: the number of workers, unless the file sets it. The error is a list of mistakes for people.
    pub fn read(path: &Path, cores: usize) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text, path, cores)
    }

    /// Paths in `text` are relative to the folder of `path`.
    pub fn parse(text: &str, path: &Path, cores: usize) -> Result<Self, String> {
        let mut mistakes = Mistakes { text, path, found: Vec::new() };
        let written: Written = match toml::from_str(text) {
            Ok(written) => written,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                mistakes.add(at, error.message().trim_end());
                return Err(mistakes.told());
            }
        };
        let file = written.resolve(&mut mistakes, path.parent().unwrap_or(Path::new(".")), cores);
        if mistakes.found.is_empty() { Ok(file) } else { Err(mistakes.told()) }
    }

    /// Maps requests to tenants. The mounts were checked when the file was parsed.
    pub fn hosts(&self) -> VirtualHosts {
        let mounts: Vec<_> = self.tenants.iter().map(|tenant| tenant.mount.clone()).collect();
        VirtualHosts::new(&mounts).unwrap_or_default()
    }
}

/// The structure of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    server: ServerTable,
    #[serde(default)]
    app: BTreeMap<Spanned<String>, AppTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ServerTable {
    listen: Option<Vec<SocketAddr>>,
    workers: Option<Spanned<usize>>,
    tls: Option<TlsTable>,
    #[serde(default)]
    share_port: bool,
    admin: Option<Spanned<String>>,
    admin_token_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    admin_names: Vec<Spanned<String>>,
    #[serde(default)]
    open_metrics: bool,
    topics: Option<Spanned<String>>,
    /// The total of all apps.
    instances: Option<Spanned<usize>>,
    idle: Option<Time>,
    /// Apps that are built at a time.
    builders: Option<Spanned<usize>>,
    drain: Option<LimitValue>,
    keep_resident: Option<LimitValue>,
    cache_size: Option<LimitValue>,
    max_head: Option<LimitValue>,
    header_timeout: Option<LimitValue>,
    write_timeout: Option<LimitValue>,
    connections: Option<LimitValue>,
    /// Defaults for all apps.
    #[serde(default)]
    limits: LimitsTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsTable {
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AppTable {
    source: Spanned<PathBuf>,
    root: Option<Spanned<PathBuf>>,
    app: Option<String>,
    hosts: Option<Spanned<Vec<String>>>,
    prefix: Option<Spanned<String>>,
    #[serde(default)]
    limits: LimitsTable,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// For routes that do not say it.
    isolation: Option<Isolation>,
    #[serde(default, rename = "build-env")]
    build_env: BTreeMap<String, String>,
    /// Where the packages that the app asks for come from.
    packages: Option<Spanned<String>>,
    #[serde(default)]
    wheels: Vec<String>,
    #[serde(default)]
    http: AllowTable,
    #[serde(default)]
    tcp: AllowTable,
    #[serde(default)]
    files: BTreeMap<Spanned<String>, FilesTable>,
    /// Databases: `main = "sqlite:app.db"`.
    #[serde(default)]
    sql: BTreeMap<Spanned<String>, Spanned<String>>,
    /// Stores of keys and values: `main = "app.kv"`.
    #[serde(default)]
    kv: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowTable {
    #[serde(default)]
    allow: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilesTable {
    path: Spanned<PathBuf>,
    #[serde(default)]
    write: bool,
}

/// Values by the keys of [`TABLE`].
type LimitsTable = BTreeMap<Spanned<String>, LimitValue>;
type LimitValue = Spanned<toml::Value>;

#[derive(Debug, Clone, Copy)]
struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        units::duration(&text).map(Self).map_err(de::Error::custom)
    }
}

/// The value of a limit as a number.
fn number(row: &Row, value: &toml::Value) -> Result<u64, String> {
    match value {
        toml::Value::String(text) => row.kind.of_text(text),
        toml::Value::Integer(number) => row.kind.of_number(*number),
        other => Err(format!("{}, not a {}", row.kind.expected(), other.type_str())),
    }
}

/// `base`, overridden by `table`.
fn app_limits(table: LimitsTable, base: &Limits, mistakes: &mut Mistakes<'_>) -> Limits {
    let mut limits = base.clone();
    for (key, value) in table {
        let row = TABLE.iter().find(|row| row.key == key.get_ref());
        let Some(Row { place: Place::App { set, .. }, .. }) = row else {
            let keys = TABLE.iter().filter(|row| matches!(row.place, Place::App { .. })).map(|row| row.key);
            let keys = keys.collect::<Vec<_>>().join(", ");
            mistakes.add(key.span().start, &format!("{} is not one of the limits: {keys}", key.get_ref()));
            continue;
        };
        let number = row.map_or(Ok(0), |row| number(row, value.get_ref()));
        if let Some(number) = mistakes.take(value.span().start, number) {
            set(&mut limits, number);
        }
    }
    limits
}

fn server_limits(given: [(Limit, Option<LimitValue>); 7], mistakes: &mut Mistakes<'_>) -> ServerLimits {
    let mut limits = ServerLimits::default();
    for (limit, value) in given {
        let (Some(value), Place::Server { set, .. }) = (value, &limit.row().place) else { continue };
        if let Some(number) = mistakes.take(value.span().start, number(limit.row(), value.get_ref())) {
            set(&mut limits, number);
        }
    }
    limits
}

impl Written {
    fn resolve(mut self, mistakes: &mut Mistakes<'_>, folder: &Path, cores: usize) -> HostFile {
        let base = app_limits(std::mem::take(&mut self.server.limits), &Limits::of_tenants(), mistakes);
        let idle = self.server.idle.map_or(Duration::from_secs(60), |Time(time)| time);
        let builders = match &self.server.builders {
            Some(builders) if !(1..=64).contains(builders.get_ref()) => {
                mistakes.add(builders.span().start, "builders must be between 1 and 64");
                1
            }
            Some(builders) => *builders.get_ref(),
            // Two, so that a slow build is never in the way of all others.
            None => cores.clamp(2, MOST_BUILDERS),
        };
        let mut tenants = Vec::with_capacity(self.app.len());
        let mut places = Vec::with_capacity(self.app.len());
        for (name, app) in self.app {
            places.push(name.span().start);
            tenants.extend(app.resolve(&name, mistakes, folder, &base));
        }
        within_grants(&mut tenants, mistakes, &places);
        if tenants.is_empty() && mistakes.found.is_empty() {
            mistakes.add(0, "there is no app: add [app.NAME] with source = \"app.py\" or \"app.wasm\"");
        }
        let mounts: Vec<_> = tenants.iter().map(|tenant: &Tenant| tenant.mount.clone()).collect();
        if let Err((one, two)) = VirtualHosts::new(&mounts)
            && mistakes.found.is_empty()
        {
            mistakes.add(
                places[two],
                &format!(
                    "{} is mounted where {} already is: give one of them other hosts or another prefix",
                    tenants[two].name, tenants[one].name
                ),
            );
        }
        let config = self.server.resolve(mistakes, folder, &base, (tenants.len(), cores));
        HostFile { config, idle, builders, tenants }
    }
}

/// Open the folders of all apps again: one app's folder may be inside of one that another app may write to.
fn within_grants(tenants: &mut [Tenant], mistakes: &mut Mistakes<'_>, places: &[usize]) {
    if !mistakes.found.is_empty() {
        return;
    }
    let mut writable = BTreeSet::new();
    for tenant in tenants.iter() {
        let own = tenant.config.preopens.writable().map_err(|e| e.to_string());
        writable.extend(mistakes.take(0, own).unwrap_or_default());
    }
    let paths = tenants.iter().flat_map(|tenant| tenant.config.preopens.places_to_write());
    let paths: Vec<_> = paths.map(Path::to_owned).collect();
    for (tenant, place) in tenants.iter_mut().zip(places) {
        let opened = tenant.config.preopens.reopen(&writable);
        mistakes.take(*place, opened);
        let apart = databases::apart(&tenant.config.databases, paths.iter().map(PathBuf::as_path));
        mistakes.take(*place, apart);
    }
}

/// Maximum number of builders, unless the file sets it: each may use much memory.
const MOST_BUILDERS: usize = 8;
/// Maximum number of instances of all apps together, unless the file sets it.
const MOST_INSTANCES: usize = 2000;
/// More than this the engine does not reserve address space for.
const LARGEST_POOL: usize = 100_000;

impl ServerTable {
    fn resolve(
        self,
        mistakes: &mut Mistakes<'_>,
        folder: &Path,
        base: &Limits,
        (apps, cores): (usize, usize),
    ) -> Config {
        let defaults = Config::default();
        let workers = match self.workers {
            Some(workers) if !(1..=1024).contains(workers.get_ref()) => {
                mistakes.add(workers.span().start, "workers must be between 1 and 1024");
                1
            }
            workers => workers.map_or(cores, Spanned::into_inner),
        };
        let admin = self.admin.and_then(|admin| {
            let parsed = Address::parse(admin.get_ref());
            mistakes.take(admin.span().start, parsed)
        });
        let token = self.admin_token_file.and_then(|file| {
            mistakes.take(file.span().start, AdminToken::read(&folder.join(file.get_ref())))
        });
        let names = self.admin_names.iter();
        let names =
            names.filter_map(|name| mistakes.take(name.span().start, admin_access::name(name.get_ref())));
        let admin_access = AdminAccess { token, names: names.collect(), open_metrics: self.open_metrics };
        let topics =
            self.topics.and_then(|url| mistakes.take(url.span().start, BrokerUrl::parse(url.get_ref())));
        let limits = server_limits(
            [
                (Limit::MaxHead, self.max_head),
                (Limit::HeaderTimeout, self.header_timeout),
                (Limit::WriteTimeout, self.write_timeout),
                (Limit::Connections, self.connections),
                (Limit::Drain, self.drain),
                (Limit::KeepResident, self.keep_resident),
                (Limit::CacheSize, self.cache_size),
            ],
            mistakes,
        );
        let most_instances = match self.instances {
            Some(instances) if !(1..=LARGEST_POOL).contains(instances.get_ref()) => {
                mistakes.add(instances.span().start, &format!("instances are between 1 and {LARGEST_POOL}"));
                1
            }
            Some(instances) => instances.into_inner(),
            None => most_instances(workers, base).saturating_mul(apps.max(1)).min(MOST_INSTANCES),
        };
        Config {
            listen: self.listen.unwrap_or(defaults.listen),
            tls: self.tls.map(|tls| TlsFiles { cert: folder.join(tls.cert), key: folder.join(tls.key) }),
            share_port: self.share_port,
            admin,
            admin_access,
            topics,
            workers,
            most_instances,
            limits,
        }
    }
}

impl AppTable {
    fn resolve(
        self,
        name: &Spanned<String>,
        mistakes: &mut Mistakes<'_>,
        folder: &Path,
        base: &Limits,
    ) -> Option<Tenant> {
        let before = mistakes.found.len();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.get_ref().is_empty() || !name.get_ref().chars().all(plain) {
            mistakes.add(name.span().start, "the name of an app may only contain letters, digits, - and _");
        }
        let at = self.source.span().start;
        let path = folder.join(self.source.into_inner());
        if !matches!(path.extension().and_then(|end| end.to_str()), Some("py" | "wasm")) {
            mistakes.add(at, "a source must be a .py file, or a .wasm file made by `bolt-host build`");
        } else if !path.is_file() {
            mistakes.add(at, &format!("{}: no such file", path.display()));
        }
        let is_python = path.extension().is_some_and(|end| end == "py");
        let root = match self.root {
            Some(root) => {
                let (at, folder) = (root.span().start, folder.join(root.into_inner()));
                if !is_python {
                    mistakes.add(at, "a root is for a source that is a .py file");
                } else if path.is_file() {
                    let found = AppRef::new(&path, self.app.as_deref(), &Root::Given(folder.clone()));
                    mistakes.take(at, found);
                }
                Root::Given(folder)
            }
            None => Root::Own,
        };
        let start = name.span().start;
        let hosts_at = self.hosts.as_ref().map_or(start, |hosts| hosts.span().start);
        let hosts = self.hosts.map(Spanned::into_inner).unwrap_or_default();
        let prefix_at = self.prefix.as_ref().map_or(start, |prefix| prefix.span().start);
        let prefix = self.prefix.map_or("/".to_owned(), Spanned::into_inner);
        let mount = Mount {
            hosts: mistakes.take(hosts_at, virtual_hosts::host_names(&hosts)).unwrap_or_default(),
            prefix: mistakes.take(prefix_at, virtual_hosts::prefix(&prefix)).unwrap_or_default(),
        };
        let mut allowed = Vec::new();
        for grant in self.http.allow {
            allowed.extend(mistakes.take(grant.span().start, Grant::parse(grant.get_ref())));
        }
        let mut tcp = Vec::new();
        for grant in self.tcp.allow {
            tcp.extend(mistakes.take(grant.span().start, Grant::parse_tcp(grant.get_ref())));
        }
        let mut preopens = Vec::new();
        for (as_name, files) in self.files {
            let at = files.path.span().start;
            let place = folder.join(files.path.into_inner());
            if !place.is_dir() {
                mistakes.add(at, &format!("{} is no folder", place.display()));
                continue;
            }
            let made = Preopen::new(as_name.get_ref(), &place, files.write);
            preopens.extend(mistakes.take(as_name.span().start, made));
        }
        let mut databases = Vec::new();
        for (as_name, url) in self.sql {
            let made = DatabaseGrant::new(as_name.get_ref(), url.get_ref(), folder);
            databases.extend(mistakes.take(url.span().start, made));
        }
        let mut kv = Vec::new();
        for (as_name, file) in self.kv {
            let made = KvGrant::new(as_name.get_ref(), file.get_ref(), folder);
            kv.extend(mistakes.take(file.span().start, made));
        }
        let left_out = preopens.iter().map(|folder| folder.place.clone()).collect();
        let preopens = mistakes.take(start, Preopens::new(preopens)).unwrap_or_default();
        let config = AppConfig {
            limits: app_limits(self.limits, base, mistakes),
            grants: Grants::new(allowed),
            tcp: Grants::tcp(tcp),
            preopens,
            databases,
            kv,
            env: self.env.into_iter().collect(),
            isolation: self.isolation,
        };
        let build_env = self.build_env.into_iter().collect();
        let name_of_app = Some(name.get_ref().clone());
        let app = self.app;
        let source =
            self.packages.map(|from| mistakes.take(from.span().start, PackageSource::parse(from.get_ref())));
        let packages = PackageTerms::below(folder, source.flatten().unwrap_or_default(), self.wheels);
        let origin =
            Origin { name: name_of_app, path, app, root, left_out, build_env, packages, ..Origin::default() };
        let tenant = Tenant { name: name.get_ref().clone(), origin, mount, config };
        (mistakes.found.len() == before).then_some(tenant)
    }
}

#[cfg(test)]
#[path = "host_file_tests.rs"]
mod tests;
