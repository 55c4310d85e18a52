//! What a child process of the host lays on itself before it works for somebody else: limits, an end with its parent, and folders
//! beyond which it writes nothing.

use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Most open files. A build has some hundred.
const FILES: u64 = 1024;
/// How many processes and threads the user may have in addition to those of now. A compiler has one thread for each core.
const TASKS: u64 = 512;
/// A build's share of a core that others want too.
const NICE: i32 = 10;

/// End when the parent does, also if it is killed.
pub fn end_with(parent: u32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before that.
    if rustix::process::getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().unsigned_abs()) != Some(parent)
    {
        return Err(io::Error::other("the process that started this one has ended"));
    }
    Ok(())
}

pub fn give_way() {
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// Limit this process and its children. `memory` is that of data, in bytes: address space that is only reserved, as for the guards
/// around a guest's memory, does not count. `file` is the size of a file.
pub fn limit(memory: u64, file: u64) -> io::Result<()> {
    let limits = [
        (Resource::Data, memory),
        (Resource::Fsize, file),
        (Resource::Nofile, FILES),
        (Resource::Nproc, tasks()? + TASKS),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        let maximum = rustix::process::getrlimit(resource).maximum;
        let most = Some(maximum.map_or(most, |maximum| maximum.min(most)));
        rustix::process::setrlimit(resource, Rlimit { current: most, maximum: most })?;
    }
    Ok(())
}

/// How many threads this user has: the kernel's limit counts them over all processes.
fn tasks() -> io::Result<u64> {
    let user = fs::metadata("/proc/self")?.uid();
    let mut count = 0;
    for process in fs::read_dir("/proc")?.flatten() {
        if process.metadata().is_ok_and(|meta| meta.uid() == user) {
            count += fs::read_dir(process.path().join("task")).map_or(0, |tasks| tasks.count() as u64);
        }
    }
    Ok(count)
}

/// Write to no file outside of these folders and, unless it `may_connect`, open no connection. Systems without Landlock do not
/// enforce it.
pub fn write_only_below(folders: &[&Path], may_connect: bool) -> Result<(), String> {
    let failed = |e: &dyn std::fmt::Display| format!("the process cannot be confined: {e}");
    let abi = ABI::V5;
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_write(abi))
        .and_then(|rules| match may_connect {
            true => Ok(rules),
            false => rules.handle_access(AccessNet::from_all(abi)),
        })
        .and_then(Ruleset::create);
    let mut rules = rules.map_err(|e| failed(&e))?;
    for folder in folders.iter().chain([&Path::new("/dev/null")]) {
        let place = PathFd::new(folder).map_err(|e| failed(&e))?;
        let access = match folder.is_dir() {
            true => AccessFs::from_write(abi),
            false => AccessFs::from_file(abi) & AccessFs::from_write(abi),
        };
        rules = rules.add_rule(PathBeneath::new(place, access)).map_err(|e| failed(&e))?;
    }
    rules.restrict_self().map(|_| ()).map_err(|e| failed(&e))
}
