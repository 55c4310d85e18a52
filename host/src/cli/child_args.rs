//! Arguments of the commands that the host starts itself, and how all commands name an app.

use crate::cli::limit_args::LimitArgs;
use crate::config::app_source::Root;
use crate::config::limit_name::Reader;
use crate::config::origin::{Linking, Origin};
use crate::config::packages::{PackageSource, PackageTerms};
use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Which app.
#[derive(Debug, Clone, Args)]
pub struct AppArgs {
    /// The app: a Python file, a module such as shop.main:app, or a component made by `build`.
    #[arg(value_name = "APP")]
    pub path: PathBuf,
    /// Use this object instead of `api`, `app` or `application` in the file.
    #[arg(long, value_name = "MODULE:ATTR")]
    pub app: Option<String>,
    /// Begin imports in this folder [default: the folder of the file or, in a package, the one that has the package; of a module,
    /// this one]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Call the app as ASGI or WSGI says, if it does not show which it is.
    #[arg(long, value_enum, value_name = "INTERFACE")]
    pub interface: Option<Interface>,
    /// Set an environment variable while the app is imported, at build time; --env sets those at run time.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub build_env: Vec<(String, String)>,
    #[command(flatten)]
    pub packages: PackageArgs,
}

/// How an app of another framework is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Interface {
    Asgi,
    Wsgi,
}

/// The variable by which the SDK learns it.
const INTERFACE: &str = "BOLT_INTERFACE";

impl AppArgs {
    pub fn origin(&self) -> Origin {
        let mut build_env = self.build_env.clone();
        if let Some(interface) = self.interface {
            let name = match interface {
                Interface::Asgi => "asgi",
                Interface::Wsgi => "wsgi",
            };
            build_env.push((INTERFACE.to_owned(), name.to_owned()));
        }
        let (path, app, root) = match self.module() {
            Some((file, app)) => {
                let root = self.root.clone().unwrap_or_else(|| PathBuf::from("."));
                (file, Some(self.app.clone().unwrap_or(app)), Root::Given(root))
            }
            None => (self.path.clone(), self.app.clone(), root(self.root.as_ref())),
        };
        Origin { path, app, root, build_env, packages: self.packages.terms(), ..Origin::default() }
    }

    /// The file of a module, as other servers take it, and the module with its attribute.
    fn module(&self) -> Option<(PathBuf, String)> {
        let text = self.path.to_str().filter(|_| !self.path.exists())?;
        let (module, attribute) = text.split_once(':').unwrap_or((text, "api"));
        if module.contains('/') {
            return None;
        }
        let place = self.root.clone().unwrap_or_default().join(module.replace('.', "/"));
        let file = [place.with_added_extension("py"), place.join("__init__.py")]
            .into_iter()
            .find(|file| file.is_file())?;
        Some((file, format!("{module}:{attribute}")))
    }
}

#[derive(Debug, Clone, Args)]
pub struct Source {
    #[command(flatten)]
    pub app: AppArgs,
    /// Build again even if nothing changed.
    #[arg(long)]
    pub rebuild: bool,
    /// Leave the core modules of the component linked, instead of merging them into one.
    #[arg(long, env = "BOLT_HOST_NO_FLATTEN", value_parser = FalseyValueParser::new())]
    pub no_flatten: bool,
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
        let (left_out, rebuild) = (self.left_out.clone(), self.rebuild);
        Origin { linking, left_out, rebuild, ..self.app.origin() }
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
        let terms = PackageTerms::below(Path::new(""), self.packages, self.wheels.clone());
        PackageTerms { with: self.with.clone(), ..terms }
    }
}

/// The root of an app whose developer types the command.
fn root(given: Option<&PathBuf>) -> Root {
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
