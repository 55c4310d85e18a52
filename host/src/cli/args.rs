//! What was typed, and what it means. Only this module and `main` read the environment.

use crate::cli::limit_args::LimitArgs;
use crate::config::TlsFiles;
use crate::config::admin_address::Address;
use crate::config::cache_folder::user_cache;
use crate::config::egress::{Grant, Grants};
use crate::config::limits::most_instances;
use crate::config::origin::{Linking, Origin};
use crate::config::preopens::{Preopen, Preopens};
use crate::config::{AppConfig, Config};
use crate::telemetry::log_output::LogFormat;
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Serve Python web apps, each request in a WebAssembly sandbox.
#[derive(Debug, Parser)]
#[command(name = "bolt-host", version, max_term_width = 100)]
#[command(after_help = "Examples:
  bolt-host new shop                         a project to begin with
  bolt-host dev app.py                       serve the source: each request finds it as it is
  bolt-host run app.py                       build the app and serve it on http://127.0.0.1:8000
  bolt-host run app.py --port 0 --workers 1  a free port, one thread
  bolt-host build app.py -o app.wasm         build once …
  bolt-host run app.wasm                     … and serve on a machine without Python
  bolt-host inspect app.wasm                 routes, types, imports, sizes
  bolt-host openapi app.py > openapi.json    what /openapi.json answers
  bolt-host serve host.toml                  many apps by host name and path
  bolt-host deploy shop shop.wasm            a new version, while it is served")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Where builds are cached [default: $XDG_CACHE_HOME/bolt-host or ~/.cache/bolt-host]
    #[arg(long, global = true, value_name = "DIR", env = "BOLT_HOST_CACHE")]
    pub cache: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build an app if it changed, and serve it.
    Run(Box<Run>),
    /// Serve an app's source while you edit it: every request is answered by the files as they are, and errors are shown.
    Dev(Box<Dev>),
    /// Build an app to one .wasm file, which any machine can serve.
    Build(Build),
    /// Show an app's routes, parameter types, imports and sizes.
    Inspect(Inspect),
    /// Print the OpenAPI description of an app.
    Openapi(Inspect),
    /// Serve many apps, each by host name and path: what a host file says.
    Serve(Serve),
    /// Check a host file: build every app of it, and name each mistake with its line.
    Check(Check),
    /// Send a new version of an app to a host that runs. A broken one is refused.
    Deploy(Deploy),
    /// Have a host that runs go back to the version before.
    Rollback(Rollback),
    /// Show the apps of a host that runs.
    Apps(Operate),
    /// Make a project: an app that runs, and its tests.
    New(New),
    /// Print a folder with the SDK, for tests and editors: PYTHONPATH=$(bolt-host sdk) pytest
    Sdk,
}

#[derive(Debug, Clone, Args)]
pub struct Source {
    /// The app: a Python file, or a component made by `build`.
    #[arg(value_name = "APP")]
    pub path: PathBuf,
    /// Where the BoltAPI object is, when it is not `api` in the file itself.
    #[arg(long, value_name = "MODULE:ATTR")]
    pub app: Option<String>,
    /// Build again even when nothing changed.
    #[arg(long)]
    pub rebuild: bool,
    /// Leave the modules of the component as they are linked, instead of merging them into one.
    #[arg(long, env = "BOLT_HOST_NO_FLATTEN", value_parser = FalseyValueParser::new())]
    pub no_flatten: bool,
    /// Leave out the names of functions, by which traps and profiles call them.
    #[arg(long)]
    pub strip: bool,
}

impl Source {
    pub fn origin(&self) -> Origin {
        let linking = if self.no_flatten { Linking::Left } else { Linking::Flat { names: !self.strip } };
        Origin { path: self.path.clone(), app: self.app.clone(), linking, rebuild: self.rebuild }
    }
}

#[derive(Debug, Args)]
pub struct Build {
    #[command(flatten)]
    pub source: Source,
    /// The file to write.
    #[arg(short, long, value_name = "FILE", default_value = "app.wasm")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct Inspect {
    #[command(flatten)]
    pub source: Source,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// The host file.
    #[arg(value_name = "FILE", default_value = "host.toml")]
    pub file: PathBuf,
    /// How requests and the apps' output are logged, on standard error.
    #[arg(long, value_enum, default_value = "human")]
    pub log_format: LogFormat,
    /// What is logged, as `info,guest=error` or `debug`.
    #[arg(long, value_name = "FILTER", env = "BOLT_HOST_LOG")]
    pub log_filter: Option<String>,
    /// Drain and exit when standard input closes: for programs that start a host, so that it does not outlive them.
    #[arg(long)]
    pub exit_on_stdin_close: bool,
}

#[derive(Debug, Args)]
pub struct Check {
    /// The host file.
    #[arg(value_name = "FILE", default_value = "host.toml")]
    pub file: PathBuf,
}

/// Where a host that runs is told things.
#[derive(Debug, Args)]
pub struct Operate {
    /// The host's admin endpoint: 127.0.0.1:9000 or unix:/run/bolt.sock
    #[arg(long, value_name = "ADDRESS", value_parser = Address::parse, default_value = "127.0.0.1:9000")]
    #[arg(env = "BOLT_HOST_ADMIN")]
    pub admin: Address,
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
    #[command(flatten)]
    pub operate: Operate,
}

#[derive(Debug, Args)]
pub struct New {
    /// The folder to make, whose name is the app's.
    #[arg(value_name = "NAME")]
    pub folder: PathBuf,
}

/// What `run` does about an app that is not built yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Answer from the source at once, and build meanwhile.
    Aside,
    /// Build, then answer.
    First,
    /// Answer from the source. Every instance imports the app when it starts.
    Never,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub source: Source,
    /// When an app that changed is built.
    #[arg(long, value_enum, default_value = "aside")]
    pub build: When,
    #[command(flatten)]
    pub serving: Serving,
}

#[derive(Debug, Args)]
pub struct Dev {
    /// The app: a Python file.
    #[arg(value_name = "APP")]
    pub path: PathBuf,
    /// Where the BoltAPI object is, when it is not `api` in the file itself.
    #[arg(long, value_name = "MODULE:ATTR")]
    pub app: Option<String>,
    #[command(flatten)]
    pub serving: Serving,
}

/// Where and how to serve.
#[derive(Debug, Args)]
pub struct Serving {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: IpAddr,
    /// The port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 8000)]
    pub port: u16,
    /// The certificate to serve HTTPS with, in PEM form, with those between it and one that clients know.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Listen beside another host that does, as when one takes over from another.
    #[arg(long)]
    pub share_port: bool,
    /// Where operators find /healthz, /readyz and /metrics: 127.0.0.1:9000 or unix:/run/bolt.sock [default: nowhere]
    #[arg(long, value_name = "ADDRESS", value_parser = Address::parse)]
    pub admin: Option<Address>,
    /// Threads, each with its own listener and instances [default: one for each core; dev: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Let the app send HTTP requests to this host; may be repeated. A name, *.NAME, an address, a range as 10.0.0.0/8,
    /// or * for every public host; without a port, 80 and 443.
    #[arg(long, value_name = "HOST[:PORT]", value_parser = Grant::parse)]
    pub allow_http: Vec<Grant>,
    /// Let the app read the files of a folder, and send them: /data=./data; may be repeated.
    #[arg(long, value_name = "/NAME=FOLDER", value_parser = Preopen::parse)]
    pub files: Vec<Preopen>,
    /// The same, to be written to as well.
    #[arg(long, value_name = "/NAME=FOLDER", value_parser = Preopen::parse_writable)]
    pub write: Vec<Preopen>,
    /// A variable of the app's environment, which has no other ones; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// How requests and the app's output are logged, on standard error.
    #[arg(long, value_enum, default_value = "human")]
    pub log_format: LogFormat,
    /// What is logged, as `info,guest=error` or `debug`.
    #[arg(long, value_name = "FILTER", env = "BOLT_HOST_LOG")]
    pub log_filter: Option<String>,
    /// Drain and exit when standard input closes: for programs that start a host, so that it does not outlive them.
    #[arg(long)]
    pub exit_on_stdin_close: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
}

impl Serving {
    /// The host. `workers`: how many, unless that was said.
    pub fn config(&self, workers: usize) -> Config {
        let workers = self.workers.map_or(workers, usize::from);
        Config {
            listen: vec![SocketAddr::new(self.host, self.port)],
            tls: self.tls_cert.clone().zip(self.tls_key.clone()).map(|(cert, key)| TlsFiles { cert, key }),
            share_port: self.share_port,
            admin: self.admin.clone(),
            workers,
            most_instances: most_instances(workers, &self.limits.app),
            limits: self.limits.server.clone(),
        }
    }

    /// The app. The error is a sentence.
    pub fn app_config(&self) -> Result<AppConfig, String> {
        let preopens = self.files.iter().chain(&self.write).cloned().collect();
        Ok(AppConfig {
            limits: self.limits.app.clone(),
            grants: Grants::new(self.allow_http.clone()),
            preopens: Preopens::new(preopens)?,
            env: self.env.clone(),
        })
    }
}

/// `NAME=VALUE`.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

impl Cli {
    /// The cache folder: as given, or the user's.
    pub fn cache(&self) -> Result<PathBuf, String> {
        self.cache.clone().map_or_else(user_cache, Ok)
    }
}
