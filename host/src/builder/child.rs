//! Prepares apps in child processes of this program, so that whatever an app does to its build, the host does not pay for it.
//!
//! A child has limits of time, memory, files and processes, writes to the cache only, and is killed with the host.

use crate::builder::refusal::{Pace, Refusal};
use crate::config::Limits;
use crate::config::app_source::Root;
use crate::config::limit_name::{self, Reader};
use crate::config::limit_table::{Limit, Place, TABLE};
use crate::config::origin::{Linking, Origin};
use crate::util::cache_files;
use crate::util::child_process::{self, Bounds, End};
use crate::util::progress;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;

/// This program, which has the commands `prepare` and `confine`. None in programs that embed the host.
static PROGRAM: OnceLock<&'static str> = OnceLock::new();

/// The path leads to the file that this process was started from, even if another has its name now.
const SELF: &str = "/proc/self/exe";
/// Most bytes that a child may say.
const MOST_SAID: u64 = 32 * 1024;

/// From now on children are started. The program does this when it starts.
pub fn is_possible() {
    let _ = PROGRAM.set(SELF);
}

/// The program to start, if there are children.
pub fn program() -> Option<&'static str> {
    PROGRAM.get().copied()
}

/// Build, compile and describe an app; returns its component.
pub fn prepare(
    program: &str,
    origin: &Origin,
    limits: &Limits,
    cache: &Path,
    pace: Pace,
) -> Result<PathBuf, Refusal> {
    let mut command = Command::new(program);
    command.arg("prepare").args(words(origin, limits, cache, pace));
    run(command, origin.name.clone(), limits, cache)
}

/// Build and compile the interpreter that loads apps from source, in the background.
pub fn prepare_runner(program: &str, limits: &Limits, cache: &Path) -> Result<(), Refusal> {
    let mut command = Command::new(program);
    let origin = Origin { path: "runner".into(), ..Origin::default() };
    command.arg("prepare").args(words(&origin, limits, cache, Pace::Background)).arg("--runner");
    run(command, None, limits, cache).map(|_| ())
}

/// `name`: whose lines its messages are.
fn run(
    mut command: Command,
    name: Option<String>,
    limits: &Limits,
    cache: &Path,
) -> Result<PathBuf, Refusal> {
    // A pool of memory that counts as used although it is only reserved.
    command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0").env_remove("BOLT_HOST_NO_FLATTEN");
    command.env_remove("BOLT_ADMIN_TOKEN");
    let (mut said, answer) = std::io::pipe().map_err(started)?;
    command.stdin(Stdio::null()).stdout(answer);
    if name.is_some() || progress::is_in_log() {
        let (lines, told) = std::io::pipe().map_err(started)?;
        command.stderr(told);
        std::thread::spawn(move || progress::relay(lines, name.as_deref()));
    }
    let bounds = Bounds { time: Some(limits.build_timeout), is_group: true, ..Bounds::default() };
    let end = child_process::run(&mut command, bounds).map_err(started)?;
    // Its end of the pipe: with it closed, what was said has an end.
    drop(command);
    if !matches!(end, End::Exited(status) if status.code().is_some()) {
        // It was killed, so its folder is still there.
        cache_files::sweep(&cache.join("work"));
    }
    let status = match end {
        End::Exited(status) => status,
        End::OutOfTime | End::OutOfDisk => {
            let limit = limit_name::of(Limit::BuildTimeout);
            return Err(Refusal::passing(format!("its build took longer than {limit}")));
        }
    };
    let mut text = String::new();
    let _ = said.by_ref().take(MOST_SAID).read_to_string(&mut text);
    match (status.code(), text.strip_prefix(DONE)) {
        (Some(0), Some(wasm)) => Ok(wasm.into()),
        (Some(1), None) if !text.is_empty() => Err(Refusal::lasting(text)),
        _ => Err(Refusal::passing(died(status))),
    }
}

/// What a child says before the path of the component; otherwise it says what is wrong.
pub const DONE: &str = "done: ";

fn started(error: std::io::Error) -> Refusal {
    Refusal::passing(format!("the process that builds apps cannot be started: {error}"))
}

/// Why a process of a build ended without a word.
pub fn died(status: ExitStatus) -> String {
    const ABORT: i32 = 6;
    const FILE_TOO_LARGE: i32 = 25;
    match status.signal() {
        Some(ABORT) => format!("its build needs more memory than {}", limit_name::of(Limit::BuildMemory)),
        Some(FILE_TOO_LARGE) => {
            format!("its build needs more files than {}", limit_name::of(Limit::BuildDisk))
        }
        _ => format!("its build ended: {status}"),
    }
}

/// The command line of `prepare`.
fn words(origin: &Origin, limits: &Limits, cache: &Path, pace: Pace) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec![origin.path.clone().into()];
    let mut add = |flag: &str, value: OsString| {
        let mut word = OsString::from(format!("--{flag}="));
        word.push(value);
        words.push(word);
    };
    add("cache", cache.into());
    add("parent", std::process::id().to_string().into());
    let reader = match limit_name::reader() {
        Reader::HostFile => "host-file",
        Reader::CommandLine | Reader::Developer => "command-line",
    };
    add("reader", reader.into());
    if let Some(app) = &origin.app {
        add("app", app.into());
    }
    match &origin.root {
        Root::Package => {}
        Root::Own => add("root", origin.path.parent().unwrap_or(Path::new("")).join(".").into()),
        Root::Given(root) => add("root", root.into()),
    }
    for (name, value) in &origin.build_env {
        add("build-env", format!("{name}={value}").into());
    }
    add("packages", origin.packages.source.name().into());
    for package in &origin.packages.with {
        add("with", package.into());
    }
    for place in &origin.packages.wheels {
        add("wheels", place.into());
    }
    for folder in &origin.left_out {
        add("left-out", folder.into());
    }
    for row in &TABLE {
        if let Place::App { get, .. } = row.place
            && let Some(value) = get(limits)
        {
            add(row.flag, row.kind.show(value).into());
        }
    }
    let is = |is: bool, flag: &str| is.then(|| flag.into());
    words.extend(is(origin.linking == Linking::Left, "--no-flatten"));
    words.extend(is(origin.linking == Linking::Flat { names: false }, "--strip"));
    words.extend(is(origin.rebuild, "--rebuild"));
    words.extend(is(pace == Pace::Background, "--background"));
    words
}

/// A command that runs `tool` so that it may connect to anything, has the limits of a build, ends with this process and writes only
/// below `folders`.
pub fn connected(tool: &Path, folders: &[&Path], limits: &Limits) -> Command {
    let Some(program) = program() else { return Command::new(tool) };
    let mut command = Command::new(program);
    command.arg("confine").arg(format!("--parent={}", std::process::id())).arg("--connect");
    command.arg(format!("--memory={}", limits.build_memory)).arg(format!("--disk={}", limits.build_disk));
    for folder in folders {
        command.arg("--write").arg(folder);
    }
    command.arg("--").arg(tool);
    command
}

/// A command that runs `tool` so that it opens no connection, ends with this process and writes only below `folders`.
pub fn confined(tool: &Path, folders: &[&Path]) -> Command {
    let Some(program) = program() else { return Command::new(tool) };
    let mut command = Command::new(program);
    command.arg("confine").arg(format!("--parent={}", std::process::id()));
    for folder in folders {
        command.arg("--write").arg(folder);
    }
    command.arg("--").arg(tool);
    command
}
