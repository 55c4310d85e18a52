//! The tool that builds wheels for the sandbox from the sources of packages: Python, embedded in the program.

use crate::builder::python_env::Python;
use crate::util::cache_files;
use rust_embed::RustEmbed;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

#[derive(RustEmbed)]
#[folder = "wheel_tool/"]
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
    let folder = work.join(format!("tool-{}", &digest()[..12]));
    unpack(&folder.join(NAME)).map_err(failed)?;
    let mut command = Command::new(python.program());
    command.args(["-P", "-m", NAME]).env("PYTHONPATH", &folder).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg("--work").arg(work.join("work")).arg("--toolchain").arg(python.packages()?);
    Ok(command)
}

fn files() -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<_> = Tool::iter().collect();
    names.sort();
    names
        .into_iter()
        .filter_map(|name| Some((name.to_string(), Tool::get(&name)?.data.into_owned())))
        .collect()
}

fn digest() -> String {
    let all: Vec<u8> =
        files().into_iter().flat_map(|(name, text)| [name.into_bytes(), text].concat()).collect();
    cache_files::digest(&all)
}

fn unpack(folder: &Path) -> io::Result<()> {
    for (name, text) in files() {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, text)?;
    }
    Ok(())
}
