//! The tool that builds wheels for the sandbox from the sources of packages: Python, embedded in the program.

use crate::builder::embedded::{self, Carried};
use crate::builder::python_env::Python;
use crate::util::cache_files;
use rust_embed::RustEmbed;
use std::io;
use std::path::Path;
use std::process::Command;

#[derive(RustEmbed)]
#[folder = "wheel_tool/"]
#[prefix = "wheel_tool/"]
#[include = "*.py"]
struct Tool;

/// The name of its package.
const NAME: &str = "wheel_tool";

/// A command that runs it, with the arguments that say where its tools and its logs are. Errors are sentences.
pub fn command(cache: &Path) -> Result<Command, String> {
    let python = Python::ready(cache)?;
    let work = cache.join("wheels");
    let failed = |e: io::Error| format!("the tool cannot be unpacked: {e}");
    cache_files::private_folder(&work).map_err(failed)?;
    let folder = work.join(format!("tool-{}", &embedded::digest(files())[..12]));
    embedded::write(&folder, files()).map_err(failed)?;
    let mut command = Command::new(python.program());
    // By its path: with `-m`, Python 3.10 would look for its modules in the folder where this is typed.
    command.arg(folder.join(NAME)).env("PYTHONPATH", &folder).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg("--work").arg(work.join("work")).arg("--toolchain").arg(python.packages()?);
    Ok(command)
}

/// Sorted, with their paths below the folder that Python finds the tool in.
fn files() -> impl Iterator<Item = Carried> {
    let mut names: Vec<_> = Tool::iter().collect();
    names.sort();
    names.into_iter().filter_map(|name| Some((name.clone(), Tool::get(&name)?.data)))
}
