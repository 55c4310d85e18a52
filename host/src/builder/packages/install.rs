//! Installs packages with pip, in a process that may write to its work folder only, and stores them as a set.

use crate::builder::child;
use crate::builder::from_source;
use crate::builder::packages::requirements::NOT_NEEDED;
use crate::builder::packages::{READY, SITE, Wanted, asked, folder_of, installed};
use crate::builder::python_env::Python;
use crate::builder::refusal::Refusal;
use crate::config::Limits;
use crate::config::app_source::PackageSet;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::config::packages::PackageSource;
use crate::util::cache_files;
use crate::util::child_process::{self, Bounds, End};
use crate::util::progress::Progress;
use crate::util::tree::Tree;
use crate::util::trust;
use serde::Deserialize;
use serde_json::json;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// What runs pip.
const SCRIPT: &str = include_str!("install.py");
/// Most bytes of its answer.
const MOST_SAID: u64 = 256 * 1024;

/// What the script answers.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// Packages that are there for Linux only: `name==version`.
    Compiled(Vec<String>),
    /// A package that no index has in any form that can be used.
    Nowhere(String),
    /// What pip said.
    Said(String),
    #[serde(untagged)]
    Done { installed: Vec<String> },
}

/// Install what an app asks for. `again`: even if it is there. An index that does not answer may answer later.
pub fn install(wanted: &Wanted, again: bool, limits: &Limits, cache: &Path) -> Result<PackageSet, Refusal> {
    let io = |e: std::io::Error| Refusal::passing(format!("the packages cannot be stored: {e}"));
    let python = Python::ready(cache).map_err(Refusal::passing)?;
    for folder in ["asked", "sets"] {
        cache_files::private_folder(&cache.join("packages").join(folder)).map_err(io)?;
    }
    // Two hosts may start with the same app: the second one waits, and then finds them.
    let lock_file = asked(&wanted.key, cache).with_extension("lock");
    let lock = File::create(&lock_file).map_err(io)?;
    lock.lock().map_err(io)?;
    if !again && let Some(set) = installed(&wanted.key, cache) {
        return Ok(set);
    }
    let names: Vec<_> = wanted.requirements.lines.iter().take(4).map(|line| first_word(line)).collect();
    let more = wanted.requirements.lines.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let step = Progress::begin(&format!("installing {}{more} (once)", names.join(", ")));
    let scratch =
        cache_files::scratch(&from_source::work(cache).map_err(Refusal::passing)?, "packages").map_err(io)?;
    let answer = run(&python, wanted, limits, scratch.path())?;
    let count = match answer {
        Answer::Done { installed } => installed.len(),
        Answer::Compiled(packages) => return Err(Refusal::lasting(compiled(&packages))),
        Answer::Nowhere(package) => return Err(nowhere(&package, wanted.terms.source)),
        Answer::Said(text) => {
            let file = &wanted.requirements.file;
            return Err(Refusal::passing(format!("the packages of {file} cannot be installed:\n{text}")));
        }
    };
    let set = store(&scratch.path().join(SITE), cache).map_err(Refusal::passing)?;
    cache_files::write_private(&asked(&wanted.key, cache), set.as_bytes()).map_err(io)?;
    let _ = fs::remove_file(lock_file);
    step.done(&match count {
        1 => "1 package".to_owned(),
        count => format!("{count} packages"),
    });
    installed(&wanted.key, cache)
        .ok_or_else(|| Refusal::passing("the packages cannot be read again".to_owned()))
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or(line)
}

fn compiled(packages: &[String]) -> String {
    let (list, all) = (packages.join(", "), packages.join(" "));
    let are = if packages.len() == 1 { "is" } else { "are" };
    format!(
        "{list} {are} compiled for Linux, and not for the sandbox. A wheel for the sandbox is built by\n  bolt-host wheel {all}\n\
         and found with --wheels wheels"
    )
}

fn nowhere(package: &str, source: PackageSource) -> Refusal {
    match source {
        PackageSource::Wheels => {
            Refusal::lasting(format!("no folder of --wheels has a wheel of {package} for the sandbox"))
        }
        // pip says the same of an index that it cannot reach.
        _ => Refusal::passing(format!(
            "the index has no wheel of {package} that the sandbox could use, or no such package. If it has its source, a wheel is \
             built by\n  bolt-host wheel {package}\nand found with --wheels wheels"
        )),
    }
}

fn run(python: &Python, wanted: &Wanted, limits: &Limits, work: &Path) -> Result<Answer, Refusal> {
    let io = |e: std::io::Error| Refusal::passing(format!("the packages cannot be installed: {e}"));
    let write = |name: &str, lines: &[String]| {
        let path = work.join(name);
        fs::write(&path, lines.join("\n") + "\n").map(|()| path)
    };
    let requirements = write("requirements.txt", &wanted.requirements.lines).map_err(io)?;
    let constraints = match wanted.requirements.constraints.as_slice() {
        [] => None,
        lines => Some(write("constraints.txt", lines).map_err(io)?),
    };
    let (order, answer, said) = (work.join("order"), work.join("answer"), work.join("said"));
    let (script, temporary) = (work.join("install.py"), work.join("temporary"));
    let text = json!({
        "requirements": requirements,
        "constraints": constraints,
        "target": work.join(SITE),
        "index": wanted.terms.source == PackageSource::Index,
        "wheels": wanted.terms.wheels,
        "not_needed": NOT_NEEDED,
    });
    fs::write(&order, text.to_string()).map_err(io)?;
    fs::write(&script, SCRIPT).map_err(io)?;
    fs::create_dir_all(&temporary).map_err(io)?;
    let mut command = child::connected(&python.program(), &[work], limits);
    command
        .arg("-I")
        .arg(&script)
        .env("TMPDIR", &temporary)
        .env("PIP_NO_CACHE_DIR", "1")
        .env_remove("BOLT_ADMIN_TOKEN")
        .current_dir(work)
        .stdin(File::open(&order).map_err(io)?)
        .stdout(File::create(&answer).map_err(io)?)
        .stderr(File::create(&said).map_err(io)?);
    let bounds = Bounds {
        time: Some(limits.build_timeout),
        disk: Some((work, limits.build_disk as u64)),
        is_group: true,
    };
    let end = child_process::run(&mut command, bounds).map_err(io)?;
    match end {
        End::Exited(status) if status.success() => {}
        End::Exited(status) if status.code().is_none() => return Err(Refusal::passing(child::died(status))),
        End::Exited(_) => {
            let said = text_of(&said);
            return Err(Refusal::passing(format!("the packages cannot be installed:\n{}", said.trim())));
        }
        End::OutOfTime => {
            let limit = limit_name::of(Limit::BuildTimeout);
            return Err(Refusal::passing(format!("installing its packages took longer than {limit}")));
        }
        End::OutOfDisk => {
            let limit = limit_name::of(Limit::BuildDisk);
            return Err(Refusal::lasting(format!("its packages have more files than {limit}")));
        }
    }
    let answer = text_of(&answer);
    serde_json::from_str(&answer)
        .map_err(|e| Refusal::passing(format!("the packages cannot be installed: {e}")))
}

fn text_of(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(MOST_SAID).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Store the folder as a set; returns its name.
fn store(site: &Path, cache: &Path) -> Result<String, String> {
    let io = |e: std::io::Error| format!("the packages cannot be stored: {e}");
    fs::create_dir_all(site).map_err(io)?;
    trust::close_tree(site).map_err(io)?;
    let tree = Tree::open(site)?;
    let mut all = Vec::new();
    for file in tree.files(Path::new(""), |_| true)? {
        let content = tree.open_file(&file.path).map_err(io)?;
        let digest = cache_files::digest_in_parts(content, |_| Ok(())).map_err(io)?;
        all.extend_from_slice(format!("{}\0{digest}\0", file.path.display()).as_bytes());
    }
    let name = cache_files::digest(&all);
    let folder = folder_of(&name, cache);
    if folder.join(READY).is_file() {
        return Ok(name);
    }
    // What another host has begun and not finished.
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io)?;
    }
    cache_files::private_folder(&folder).map_err(io)?;
    fs::rename(site, folder.join(SITE)).map_err(io)?;
    cache_files::write_private(&folder.join(READY), b"").map_err(io)?;
    Ok(name)
}
