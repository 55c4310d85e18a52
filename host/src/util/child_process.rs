//! Runs a child process to its end, within a time and within a size of the folder that it works in.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// What a child may use, and what happens to it beyond that.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds<'b> {
    pub time: Option<Duration>,
    /// A folder, and the most bytes in it.
    pub disk: Option<(&'b Path, u64)>,
    /// Its own children end with it.
    pub is_group: bool,
}

#[derive(Debug)]
pub enum End {
    Exited(ExitStatus),
    /// It was killed: it took too long.
    OutOfTime,
    /// It was killed: its folder has too much in it.
    OutOfDisk,
}

/// First and longest wait between two looks at a child.
const FIRST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(100);
/// Time between two looks at its folder.
const DISK: Duration = Duration::from_secs(1);
/// More files than any build has; a file takes space whatever its size.
const MOST_FILES: usize = 200_000;

/// The calling thread waits. So a child that asked to end with its parent does, because that is about the parent's thread.
pub fn run(command: &mut Command, bounds: Bounds<'_>) -> io::Result<End> {
    if bounds.is_group {
        command.process_group(0);
    }
    let mut child = command.spawn()?;
    let outcome = watch(&mut child, bounds);
    if !matches!(outcome, Ok(End::Exited(_))) {
        // Not waited for yet, so nothing else has its number.
        let group = rustix::process::Pid::from_child(&child);
        if bounds.is_group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    outcome
}

fn watch(child: &mut Child, bounds: Bounds<'_>) -> io::Result<End> {
    let (start, mut wait, mut looked) = (Instant::now(), FIRST, Instant::now());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(End::Exited(status));
        }
        if bounds.time.is_some_and(|time| start.elapsed() >= time) {
            return Ok(End::OutOfTime);
        }
        if let Some((folder, most)) = bounds.disk
            && looked.elapsed() >= DISK
        {
            if has_more(folder, most) {
                return Ok(End::OutOfDisk);
            }
            looked = Instant::now();
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(LONGEST);
    }
}

/// Whether a folder has more than `most` bytes, or too many files.
fn has_more(folder: &Path, most: u64) -> bool {
    let (mut folders, mut size, mut files) = (vec![folder.to_owned()], 0u64, 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            files += 1;
            size = size.saturating_add(meta.len());
            if size > most || files > MOST_FILES {
                return true;
            }
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    fn shell(script: &str, bounds: Bounds<'_>) -> End {
        run(Command::new("sh").args(["-c", script]).stdout(Stdio::null()), bounds).unwrap()
    }

    #[test]
    fn a_child_ends_at_its_bounds_and_its_children_with_it() {
        assert!(
            matches!(shell("exit 3", Bounds::default()), End::Exited(status) if status.code() == Some(3))
        );
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("pid");
        let time = Some(Duration::from_secs(1));
        let script = format!("sleep 1000 & echo $! > {}; wait", mark.display());
        let end = shell(&script, Bounds { time, is_group: true, ..Bounds::default() });
        assert!(matches!(end, End::OutOfTime));
        let pid = fs::read_to_string(&mark).unwrap();
        // A killed orphan stays until its new parent has waited for it.
        while fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z"))
        {
            std::thread::sleep(LONGEST);
        }
        let script = format!("cd {}; while true; do echo 12345678 >> a; done", folder.path().display());
        let disk = Some((folder.path(), 100_000));
        assert!(matches!(shell(&script, Bounds { disk, ..Bounds::default() }), End::OutOfDisk));
    }
}
