//! `bolt-host wheel`: builds wheels for the sandbox from the sources of packages.

use crate::builder::wheel_tool;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Wheel {
    /// A package of the index, such as orjson or "msgspec==0.20"; or an archive or a folder with its source.
    #[arg(value_name = "PACKAGE", required = true)]
    pub packages: Vec<String>,
    /// Put the wheels and a page that links to them into this folder, for --wheels.
    #[arg(short, long, value_name = "DIR", default_value = "wheels")]
    pub output: PathBuf,
    /// Compile against the headers of CPython 3.14 in this folder, which has Python.h [default: of a Python 3.14 on this machine, or
    /// of Debian's package]
    #[arg(long, value_name = "DIR")]
    pub headers: Option<PathBuf>,
    /// Take Rust's standard library for the sandbox from the compiler on the path, to which rustup adds it when it must, else from
    /// Debian (auto); from its source (rust-src); or from Debian's packages (debian).
    #[arg(long, value_enum, value_name = "WHERE", default_value = "auto")]
    pub rust: RustFrom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RustFrom {
    Auto,
    RustSrc,
    Debian,
}

impl RustFrom {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::RustSrc => "rust-src",
            Self::Debian => "debian",
        }
    }
}

/// Build them with the tools of this machine, which runs the packages' own build code. The error is a sentence.
pub fn wheel(args: &Wheel, cache: &Path) -> Result<(), String> {
    let mut command = wheel_tool::command(cache)?;
    command.arg("--out").arg(&args.output).arg("--rust").arg(args.rust.name());
    if let Some(headers) = &args.headers {
        command.arg("--headers").arg(headers);
    }
    let status = command.arg("--").args(&args.packages).status();
    let status = status.map_err(|e| format!("the tool that builds wheels cannot be started: {e}"))?;
    // The tool has said what is wrong.
    if status.success() { Ok(()) } else { Err("not every wheel was built".to_owned()) }
}
