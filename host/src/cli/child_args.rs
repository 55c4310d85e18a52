//! Arguments of the commands that the host starts itself, and how all commands name an app.

use crate::cli::limit_args::LimitArgs;
use crate::config::app_source::Root;
use crate::config::limit_name::Reader;
use crate::config::origin::{Linking, Origin};
use crate::config::packages::{PackageSource, PackageTerms};
use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
pub struct Source {
    /// The app: a Python file, or a component made by `build`.
    #[arg(value_name = "APP")]
    pub path: PathBuf,
    /// Use this BoltAPI object instead of `api`, or `app`, in the file.
    #[arg(long, value_name = "MODULE:ATTR")]
    pub app: Option<String>,
    /// Begin imports in this folder [default: the folder of the file or, in a package, the one that has the package]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Build again even if nothing changed.
    #[arg(long)]
    pub rebuild: bool,
    /// Leave the core modules of the component linked, instead of merging them into one.
    #[arg(long, env = "BOLT_HOST_NO_FLATTEN", value_parser = FalseyValueParser::new())]
    pub no_flatten: bool,
    /// Set an environment variable while the app is imported, at build time; --env sets those at run time.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub build_env: Vec<(String, String)>,
    #[command(flatten)]
    pub packages: PackageArgs,
    /// A folder that is no part of the app.
    #[arg(long, value_name = "DIR", hide = true)]
    pub left_out: Vec<PathBuf>,
    /// Leave out function names, which traps and profiles use.
    #[arg(long)]
    pub strip: bool,
}

impl Source {
    pub fn origin(&self) -> Origin {
        let linking = if self.no_flatten { Linking::Left } else { Linking::Flat { names: !self.strip } };
        let root = root(self.root.as_ref());
        let (left_out, build_env) = (self.left_out.clone(), self.build_env.clone());
        let (path, app) = (self.path.clone(), self.app.clone());
        let rebuild = self.rebuild;
        let packages = self.packages.terms();
        Origin { name: None, path, app, root, linking, left_out, build_env, packages, rebuild }
    }
}

/// Where an app's packages come from.
#[derive(Debug, Clone, Args)]
pub struct PackageArgs {
    /// Install the packages that the app asks for, in its file (PEP 723), pyproject.toml or requirements.txt, from here: index (and
    /// --wheels), wheels (only --wheels), or off.
    #[arg(long, value_name = "FROM", value_parser = PackageSource::parse, default_value = "index")]
    pub packages: PackageSource,
    /// Install this package too: orjson, or "orjson>=3"; may be repeated.
    #[arg(long, value_name = "PACKAGE")]
    pub with: Vec<String>,
    /// Find wheels for the sandbox in this folder, or on this page; may be repeated.
    #[arg(long, value_name = "DIR|URL")]
    pub wheels: Vec<String>,
}

impl PackageArgs {
    pub fn terms(&self) -> PackageTerms {
        let (source, with) = (self.packages, self.with.clone());
        PackageTerms { source, with, wheels: self.wheels.iter().map(|place| absolute(place)).collect() }
    }
}

/// A folder is found from anywhere.
fn absolute(place: &str) -> String {
    let path = std::path::Path::new(place);
    if !path.is_dir() {
        return place.to_owned();
    }
    path.canonicalize().map_or(place.to_owned(), |path| path.display().to_string())
}

/// The root of an app whose developer types the command.
pub fn root(given: Option<&PathBuf>) -> Root {
    given.map_or(Root::Package, |root| Root::Given(root.clone()))
}

/// `NAME=VALUE`.
pub fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

#[derive(Debug, Args)]
pub struct Prepare {
    #[command(flatten)]
    pub source: Source,
    /// Prepare the interpreter that loads apps from source, instead of an app.
    #[arg(long)]
    pub runner: bool,
    /// Who started it.
    #[arg(long)]
    pub parent: u32,
    /// Who reads its messages.
    #[arg(long)]
    pub reader: ReaderArg,
    /// Give way to others.
    #[arg(long)]
    pub background: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ReaderArg {
    HostFile,
    CommandLine,
}

impl From<ReaderArg> for Reader {
    fn from(arg: ReaderArg) -> Self {
        match arg {
            ReaderArg::HostFile => Self::HostFile,
            ReaderArg::CommandLine => Self::CommandLine,
        }
    }
}

#[derive(Debug, Args)]
pub struct Confine {
    /// Who started it.
    #[arg(long)]
    pub parent: u32,
    /// A folder that it may write to.
    #[arg(long)]
    pub write: Vec<PathBuf>,
    /// It may open connections.
    #[arg(long)]
    pub connect: bool,
    /// Most memory, in bytes.
    #[arg(long)]
    pub memory: Option<u64>,
    /// Size of its largest file, in bytes.
    #[arg(long)]
    pub disk: Option<u64>,
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}
