//! Command-line arguments and their environment variables, and the configuration that they give.

use crate::admin::client::Client;
use crate::admin::token_file;
use crate::cli::child_args::{AppArgs, Confine, Prepare, Source};
use crate::cli::exec_args::Exec;
use crate::cli::grant_args::GrantArgs;
use crate::cli::limit_args::{BuildLimitArgs, LimitArgs};
use crate::cli::migrate::Migrate;
use crate::cli::wheel::Wheel;
use crate::config::TlsFiles;
use crate::config::admin_access::{self, AdminAccess, AdminToken};
use crate::config::admin_address::Address;
use crate::config::broker::BrokerUrl;
use crate::config::cache_folder::user_cache;
use crate::config::limits::most_instances;
use crate::config::{AppConfig, Config};
use crate::manifest::isolation::Isolation;
use crate::telemetry::log_output::LogFormat;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Serve Python web apps, each request in a WebAssembly sandbox.
#[derive(Debug, Parser)]
#[command(name = "bolt-host", version, max_term_width = 100)]
#[command(after_help = "Examples:
  bolt-host new shop                         create a project
  bolt-host dev app.py                       serve the source, and reload it after each edit
  bolt-host run app.py                       build the app and serve it on http://127.0.0.1:8000
  bolt-host run app.py --port 0 --workers 1  use a free port and one thread
  bolt-host build app.py -o app.wasm         build once …
  bolt-host run app.wasm                     … and serve on a machine without Python
  bolt-host inspect app.wasm                 show routes, types, imports and sizes
  bolt-host openapi app.py > openapi.json    print the OpenAPI description
  bolt-host exec shop.wsgi -- manage.py migrate  run a command of the app in its sandbox
  bolt-host wheel orjson                     build a wheel with compiled code for the sandbox …
  bolt-host run app.py --wheels wheels       … and an app that uses it
  bolt-host serve host.toml                  serve many apps by host name and path
  bolt-host deploy shop shop.wasm            deploy a new version to a running host")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Cache builds in this folder [default: $XDG_CACHE_HOME/bolt-host or ~/.cache/bolt-host]
    #[arg(long, global = true, value_name = "DIR", env = "BOLT_HOST_CACHE")]
    pub cache: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build an app if it changed, and serve it.
    Run(Box<Run>),
    /// Serve an app's source and reload it after each edit; responses show errors.
    Dev(Box<Dev>),
    /// Build an app into one .wasm file, which any machine can serve.
    Build(Build),
    /// Show an app's routes, parameter types, imports and sizes.
    Inspect(Inspect),
    /// Print the OpenAPI description of an app.
    Openapi(Inspect),
    /// Serve the apps of a host file, each by host name and path.
    Serve(Serve),
    /// Check a host file and build its apps; print the mistakes with their lines.
    Check(Check),
    /// Deploy a new version of an app to a running host, which refuses a broken one.
    Deploy(Deploy),
    /// Roll an app of a running host back to its previous version.
    Rollback(Rollback),
    /// List the versions of an app that were deployed to a running host, or remove old ones.
    Versions(Versions),
    /// Keep an app of a running host at a version, whatever is deployed and put in the place of its file.
    Pin(Rollback),
    /// Let deployments and its file replace the version of an app again.
    Unpin(AppOf),
    /// List the apps of a running host.
    Apps(Apps),
    /// Apply the SQL files of a folder to a database, each once.
    Migrate(Migrate),
    /// Run a command of an app in its sandbox: a script, a module, or a command of one of its packages.
    Exec(Box<Exec>),
    /// Build wheels for the sandbox from packages' sources, whose build code runs on this machine.
    Wheel(Wheel),
    /// Create a project: an app that runs, and its tests.
    New(New),
    #[command(hide = true)]
    Prepare(Box<Prepare>),
    #[command(hide = true)]
    Confine(Confine),
    /// Print the path of the SDK, for tests and editors: PYTHONPATH=$(bolt-host sdk) pytest
    Sdk,
}

#[derive(Debug, Args)]
pub struct Build {
    #[command(flatten)]
    pub source: Source,
    /// Write the component to this file.
    #[arg(short, long, value_name = "FILE", default_value = "app.wasm")]
    pub output: PathBuf,
    #[command(flatten)]
    pub limits: BuildLimitArgs,
}

#[derive(Debug, Args)]
pub struct Inspect {
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub limits: BuildLimitArgs,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// The host file.
    #[arg(value_name = "FILE", default_value = "host.toml")]
    pub file: PathBuf,
    /// Keep deployed components in this folder [default: $XDG_STATE_HOME/bolt-host or ~/.local/state/bolt-host]
    #[arg(long, value_name = "DIR", env = "BOLT_HOST_VERSIONS")]
    pub versions: Option<PathBuf>,
    #[command(flatten)]
    pub token: TokenArgs,
    #[command(flatten)]
    pub process: ProcessArgs,
}

#[derive(Debug, Args)]
pub struct Check {
    /// The host file.
    #[arg(value_name = "FILE", default_value = "host.toml")]
    pub file: PathBuf,
}

/// How to reach a running host.
#[derive(Debug, Args)]
pub struct Operate {
    /// Connect to the host's admin endpoint: 127.0.0.1:9000 or unix:/run/bolt.sock
    #[arg(long, value_name = "ADDRESS", value_parser = Address::parse, default_value = "127.0.0.1:9000")]
    #[arg(env = "BOLT_HOST_ADMIN")]
    pub admin: Address,
    #[command(flatten)]
    pub token: TokenArgs,
}

impl Operate {
    /// The client of that host. Without a token it uses the one that a host of this user has made. The error is a
    /// user-facing message.
    pub fn client(&self, cache: &Path) -> Result<Client, String> {
        let token = match (self.token.given()?, &self.admin) {
            (None, Address::Tcp(address)) => token_file::find(cache, *address),
            (given, _) => given,
        };
        Ok(Client { address: self.admin.clone(), token })
    }
}

/// The token of an admin endpoint on a TCP address.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Use this token for the admin endpoint. Other users of the machine see the arguments of programs: prefer the
    /// variable or a file.
    #[arg(long, value_name = "TOKEN", value_parser = AdminToken::parse)]
    #[arg(env = "BOLT_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<AdminToken>,
    /// Use the token in this file for the admin endpoint, whatever the variable says.
    #[arg(long, value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,
}

impl TokenArgs {
    /// The error is a user-facing message.
    pub fn given(&self) -> Result<Option<AdminToken>, String> {
        let file = self.admin_token_file.as_deref().map(AdminToken::read).transpose();
        Ok(file.map_err(|why| format!("--admin-token-file: {why}"))?.or_else(|| self.admin_token.clone()))
    }
}

#[derive(Debug, Args)]
pub struct Deploy {
    /// The app's name in the host file.
    #[arg(value_name = "APP")]
    pub app: String,
    /// A component made by `build`.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub operate: Operate,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// The app's name in the host file.
    #[arg(value_name = "APP")]
    pub app: String,
    /// The start of a version's ID, or `file` for the file that the host file names [default: rollback: the version before; pin: the
    /// one that is served]
    #[arg(value_name = "VERSION")]
    pub version: Option<String>,
    #[command(flatten)]
    pub operate: Operate,
}

#[derive(Debug, Args)]
pub struct AppOf {
    /// The app's name in the host file.
    #[arg(value_name = "APP")]
    pub app: String,
    #[command(flatten)]
    pub operate: Operate,
}

#[derive(Debug, Args)]
pub struct Versions {
    #[command(flatten)]
    pub of: AppOf,
    /// Remove the oldest ones until this many are left.
    #[arg(long, value_name = "N")]
    pub prune: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Apps {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub operate: Operate,
}

#[derive(Debug, Args)]
pub struct New {
    /// The folder to create; its name is the project's name.
    #[arg(value_name = "NAME")]
    pub folder: PathBuf,
}

/// How `run` serves an app that is not built yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Serve the source until the build is done.
    Aside,
    /// Build, then serve.
    First,
    /// Serve the source. Every instance imports the app when it starts.
    Never,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub source: Source,
    /// Choose when to build an app that changed.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "aside")]
    pub build: When,
    /// Uvicorn's flag.
    #[arg(long, hide = true)]
    pub reload: bool,
    #[command(flatten)]
    pub serving: Serving,
}

#[derive(Debug, Args)]
pub struct Dev {
    #[command(flatten)]
    pub app: AppArgs,
    /// Import the app's packages again after each edit, for an app that changes something before it imports them. Without it, an
    /// interpreter that has imported them is made in the background, and loads the app's own modules only.
    #[arg(long)]
    pub import_again: bool,
    /// Uvicorn's flag for what this command does anyway.
    #[arg(long, hide = true)]
    pub reload: bool,
    #[command(flatten)]
    pub serving: Serving,
}

/// How a process that serves logs, and when it ends.
#[derive(Debug, Args)]
pub struct ProcessArgs {
    /// Log requests and the apps' output to standard error in this format.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "human")]
    pub log_format: LogFormat,
    /// Set log levels, such as `info,guest=error` or `debug`.
    #[arg(long, value_name = "FILTER", env = "BOLT_HOST_LOG")]
    pub log_filter: Option<String>,
    /// Drain and exit when standard input closes: for programs that start a host, so that it does not outlive them.
    #[arg(long)]
    pub exit_on_stdin_close: bool,
}

/// Where and how to serve.
#[derive(Debug, Args)]
pub struct Serving {
    /// Listen on this address.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: IpAddr,
    /// Listen on this port; 0 picks a free one.
    #[arg(long, default_value_t = 8000)]
    pub port: u16,
    /// Serve HTTPS with this certificate chain, in PEM format.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Use this private key for the certificate, in PEM format.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Share the port with another host, for a handover.
    #[arg(long)]
    pub share_port: bool,
    /// Serve /healthz, /readyz, /metrics, /apps and POST /loglevel here: 127.0.0.1:9000 or unix:/run/bolt.sock [default: off]
    #[arg(long, value_name = "ADDRESS", value_parser = Address::parse)]
    pub admin: Option<Address>,
    #[command(flatten)]
    pub token: TokenArgs,
    /// Answer at the admin endpoint to this host name or address too, for proxies in front of it; may be repeated.
    #[arg(long, value_name = "NAME", value_parser = admin_access::name)]
    pub admin_name: Vec<String>,
    /// Show /metrics of the admin endpoint without a token.
    #[arg(long)]
    pub open_metrics: bool,
    /// Share the topics of apps with other hosts that serve apps of the same names, over Redis or Valkey:
    /// redis://HOST:6379/0, rediss:// for TLS. If the URL has a password, prefer the variable.
    #[arg(long, value_name = "URL", value_parser = BrokerUrl::parse)]
    #[arg(env = "BOLT_TOPICS", hide_env_values = true)]
    pub topics: Option<BrokerUrl>,
    /// Start this many threads, each with its own listener and instances [default: one per core; dev: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Let requests share interpreters in this way, where the app asks for none: fresh (a new one for each request), serial (one
    /// request at a time), concurrent [default: def handlers and WSGI serial, async def handlers and ASGI concurrent]
    #[arg(long, value_name = "MODE", value_parser = Isolation::parse)]
    pub isolation: Option<Isolation>,
    #[command(flatten)]
    pub grants: GrantArgs,
    #[command(flatten)]
    pub process: ProcessArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

impl Serving {
    /// The configuration of the host. `workers`: the default number. The error is a user-facing message.
    pub fn config(&self, workers: usize) -> Result<Config, String> {
        let workers = self.workers.map_or(workers, usize::from);
        Ok(Config {
            listen: vec![SocketAddr::new(self.host, self.port)],
            tls: self.tls_cert.clone().zip(self.tls_key.clone()).map(|(cert, key)| TlsFiles { cert, key }),
            share_port: self.share_port,
            admin: self.admin.clone(),
            admin_access: AdminAccess {
                token: self.token.given()?,
                names: self.admin_name.clone(),
                open_metrics: self.open_metrics,
            },
            topics: self.topics.clone(),
            workers,
            most_instances: most_instances(workers, &self.limits.app),
            limits: self.limits.server.clone(),
        })
    }

    /// The configuration of the app in this file. The error is a user-facing message.
    pub fn app_config(&self, app: &Path) -> Result<AppConfig, String> {
        Ok(AppConfig { isolation: self.isolation, ..self.grants.app_config(app, &self.limits.app)? })
    }
}

impl Cli {
    /// The cache folder, by default the user's.
    pub fn cache(&self) -> Result<PathBuf, String> {
        self.cache.clone().map_or_else(user_cache, Ok)
    }
}
