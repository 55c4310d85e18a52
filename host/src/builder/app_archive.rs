//! The files of an app, which its built component carries: a tar archive in a custom section. An instance sees them where the
//! build had them, read-only.

use crate::util::cache_files;
use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Write};
use std::path::{Component, Path};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tar::{Archive, EntryType};
use wasmparser::{Parser, Payload};

/// The name of the section.
const SECTION: &str = "bolt-host-app-files";
/// Most files, and most folders in each other, of an archive.
const MOST_FILES: usize = 20_000;
const MOST_DEPTH: usize = 32;

/// An archive of the files of a folder; `files`: relative paths, sorted. None if all of them are Python: modules are in the memory of
/// the component.
#[cfg(feature = "build")]
pub fn pack(folder: &Path, files: &[std::path::PathBuf]) -> io::Result<Option<Vec<u8>>> {
    use tar::{Builder, Header};
    if files.iter().all(|file| file.extension().is_some_and(|end| end == "py")) {
        return Ok(None);
    }
    let mut archive = Builder::new(Vec::new());
    for file in files {
        let bytes = fs::read(folder.join(file))?;
        let modified = fs::metadata(folder.join(file))?.modified()?;
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o444);
        header.set_mtime(modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
        archive.append_data(&mut header, file, bytes.as_slice())?;
    }
    archive.into_inner().map(Some)
}

/// Append an archive to a component.
#[cfg(feature = "build")]
pub fn append(wasm: &mut Vec<u8>, archive: &[u8]) {
    use wasm_encoder::{ComponentSection, CustomSection};
    CustomSection { name: SECTION.into(), data: archive.into() }.append_to_component(wasm);
}

/// Write the files that a component carries into the folder `target`, unless they are there. Without such files, there is no folder
/// afterwards. The component is hostile; errors are sentences.
pub fn extract(wasm: &[u8], target: &Path) -> Result<(), String> {
    let Some(archive) = section(wasm)? else { return Ok(()) };
    if target.is_dir() {
        return Ok(());
    }
    let io = |e: io::Error| format!("its files cannot be stored: {e}");
    let above = target.parent().unwrap_or(Path::new("/"));
    cache_files::private_folder(above).map_err(io)?;
    let made = tempfile::Builder::new().prefix("files.").tempdir_in(above).map_err(io)?;
    unpack(archive, made.path())?;
    match fs::rename(made.path(), target) {
        // Another process was faster, with the same files.
        Err(_) if target.is_dir() => Ok(()),
        outcome => outcome.map_err(io),
    }
}

fn section(wasm: &[u8]) -> Result<Option<&[u8]>, String> {
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|e| format!("it is damaged: {e}"))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(custom) if depth == 0 && custom.name() == SECTION => {
                return Ok(Some(custom.data()));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn unpack(archive: &[u8], folder: &Path) -> Result<(), String> {
    let damaged = |e: io::Error| format!("the files in it are damaged: {e}");
    let mut archive = Archive::new(archive);
    let mut folders = BTreeSet::new();
    for (number, entry) in archive.entries().map_err(damaged)?.enumerate() {
        let mut entry = entry.map_err(damaged)?;
        if number >= MOST_FILES {
            return Err(format!("it has more than {MOST_FILES} files"));
        }
        let path = entry.path().map_err(damaged)?.into_owned();
        if entry.header().entry_type() != EntryType::Regular || !is_plain(&path) {
            return Err(format!("it has a file that no app has: {:?}", path.display().to_string()));
        }
        folders.extend(path.ancestors().skip(1).map(Path::to_owned));
        if number + folders.len() > MOST_FILES {
            return Err(format!("it has more than {MOST_FILES} files and folders"));
        }
        let modified = entry.header().mtime().map_err(damaged)?;
        write(&mut entry, &folder.join(&path), modified).map_err(damaged)?;
    }
    Ok(())
}

fn write(content: &mut impl Read, path: &Path, modified: u64) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    // A name that is there twice is an error.
    let mut file = File::create_new(path)?;
    io::copy(content, &mut file)?;
    file.flush()?;
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(modified)).unwrap_or(SystemTime::UNIX_EPOCH);
    // For conditional requests; a file system that cannot store it stores another time.
    let _ = file.set_times(FileTimes::new().set_modified(time));
    Ok(())
}

/// Whether a path only goes down.
fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    path.to_str().is_some()
        && parts.all(|part| matches!(part, Component::Normal(_)))
        && (1..=MOST_DEPTH).contains(&path.components().count())
}

#[cfg(all(test, feature = "build"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use tar::{Builder, Header};

    fn component() -> Vec<u8> {
        wat::parse_str("(component (core module (func)))").unwrap()
    }

    fn found(folder: &Path) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_dir() {
                let below = found(&entry.path());
                all.extend(below.into_iter().map(|(rest, bytes)| (format!("{name}/{rest}"), bytes)));
            } else {
                all.push((name, fs::read(entry.path()).unwrap()));
            }
        }
        all.sort();
        all
    }

    #[test]
    fn a_component_carries_the_files_of_its_app() {
        let (app, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(app.path().join("templates")).unwrap();
        let files = ["app.py", "templates/é.html"];
        files.iter().for_each(|file| fs::write(app.path().join(file), file).unwrap());
        assert!(pack(app.path(), &["app.py".into()]).unwrap().is_none(), "modules need no files");
        let mut wasm = component();
        append(&mut wasm, &pack(app.path(), &files.map(PathBuf::from)).unwrap().unwrap());
        wasmparser::validate(&wasm).unwrap();
        let target = cache.path().join("files");
        for _ in 0..2 {
            extract(&wasm, &target).unwrap();
        }
        let expected = files.map(|file| (file.to_owned(), file.as_bytes().to_vec()));
        assert_eq!(found(&target), expected);
        let modified = |folder: &Path| {
            let time = fs::metadata(folder.join("app.py")).unwrap().modified().unwrap();
            time.duration_since(UNIX_EPOCH).unwrap().as_secs()
        };
        assert_eq!(modified(&target), modified(app.path()));
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1, "nothing else is left");
        extract(&component(), &cache.path().join("none")).unwrap();
        assert!(!cache.path().join("none").exists());
    }

    #[test]
    fn an_archive_that_no_build_made_is_refused() {
        let carrying = |name: &str, kind: EntryType, times: usize| {
            let mut archive = Builder::new(Vec::new());
            for _ in 0..times {
                let mut header = Header::new_ustar();
                header.set_entry_type(kind);
                header.set_size(0);
                header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
                header.set_cksum();
                archive.append(&header, io::empty()).unwrap();
            }
            let mut wasm = component();
            append(&mut wasm, &archive.into_inner().unwrap());
            wasm
        };
        let cache = tempfile::tempdir().unwrap();
        let deep = "a/".repeat(MOST_DEPTH) + "a";
        for (name, kind, times) in [
            ("../out", EntryType::Regular, 1),
            ("/out", EntryType::Regular, 1),
            ("a/../../out", EntryType::Regular, 1),
            (&deep, EntryType::Regular, 1),
            ("not\u{0}plain", EntryType::Symlink, 1),
            ("link", EntryType::Symlink, 1),
            ("link", EntryType::Link, 1),
            ("pipe", EntryType::Fifo, 1),
            ("sparse", EntryType::GNUSparse, 1),
            ("twice", EntryType::Regular, 2),
        ] {
            let target = cache.path().join("files");
            assert!(extract(&carrying(name, kind, times), &target).is_err(), "{name}");
            assert!(fs::read_dir(cache.path()).unwrap().next().is_none(), "{name} left something");
        }
        let mut cut = carrying("a", EntryType::Regular, 1);
        cut.truncate(cut.len() - 1);
        assert!(extract(&cut, &cache.path().join("files")).is_err());
    }
}
