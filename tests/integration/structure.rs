//! Tests of the source's structure: imports between folders run one way, as `host/src/folders.md` says.

mod imports;

use self::imports::{Source, sources};
use crate::common::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// A row of the table.
struct Folder {
    name: String,
    /// It uses neither the engine nor the network.
    is_pure: bool,
    may_use: BTreeSet<String>,
}

/// The rows, lowest folder first.
fn table() -> Vec<Folder> {
    let text = fs::read_to_string(root().join("host/src/folders.md")).unwrap();
    let names =
        |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let rows = text.lines().skip(2).map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        let name = names(cells[1]).remove(0);
        Folder { name, is_pure: cells[1].contains('†'), may_use: names(cells[3]).into_iter().collect() }
    });
    rows.collect()
}

fn source() -> Vec<Source> {
    sources(&root().join("host/src"))
}

/// The folders that a file uses, without its own.
fn folders_of(source: &Source) -> BTreeSet<String> {
    let used = source.paths.iter().filter(|path| path[0] == "crate").map(|path| path[1].clone());
    used.filter(|folder| folder != source.folder()).collect()
}

#[test]
fn arrows_between_folders_run_one_way_and_each_is_in_the_table() {
    let table = table();
    let mut below = BTreeSet::new();
    for folder in &table {
        let wrong: Vec<_> = folder.may_use.difference(&below).collect();
        assert!(wrong.is_empty(), "{} may use {wrong:?}, which are not below it in the table", folder.name);
        below.insert(folder.name.clone());
    }
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let all = source();
    for source in all.iter().filter(|source| !matches!(source.folder(), "lib" | "main")) {
        let folder = table.iter().find(|folder| folder.name == source.folder());
        let folder = folder.unwrap_or_else(|| panic!("{}: its folder is not in the table", source.name()));
        for other in folders_of(source) {
            assert!(folder.may_use.contains(&other), "{} may not use {other}: see folders.md", source.name());
            used.entry(&folder.name).or_default().insert(other);
        }
    }
    for folder in &table {
        let unused: Vec<_> = match used.get(&*folder.name) {
            Some(used) => folder.may_use.difference(used).collect(),
            None => folder.may_use.iter().collect(),
        };
        assert!(unused.is_empty(), "{} does not use {unused:?}: take them out of the table", folder.name);
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let all = source();
    let names: BTreeSet<_> = all.iter().map(Source::name).collect();
    let file = |path: &[String]| {
        let lengths = (2..=path.len().min(4)).rev();
        lengths.map(|length| path[1..length].join("/")).find(|name| names.contains(name))
    };
    let mut left: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in &all {
        let own = source.name();
        let used = source.paths.iter().filter(|path| path[0] == "crate").filter_map(|path| file(path));
        left.insert(own.clone(), used.filter(|used| *used != own).collect());
    }
    // Files that use no remaining file are in no cycle, and neither are files that no remaining file uses.
    loop {
        let used: BTreeSet<_> = left.values().flatten().cloned().collect();
        let is_free = |name: &String, uses: &BTreeSet<String>| {
            !used.contains(name) || !uses.iter().any(|used| left.contains_key(used))
        };
        let free: Vec<_> =
            left.iter().filter(|(name, uses)| is_free(name, uses)).map(|(name, _)| name.clone()).collect();
        if free.is_empty() {
            break;
        }
        free.iter().for_each(|name| {
            left.remove(name);
        });
    }
    assert!(left.is_empty(), "in a circle: {:?}", left.keys().collect::<Vec<_>>());
}

#[test]
fn pure_folders_and_files_know_no_engine_and_no_network() {
    let pure: Vec<_> =
        table().into_iter().filter(|folder| folder.is_pure).map(|folder| folder.name).collect();
    assert!(pure.len() >= 5, "{pure:?}");
    let files = ["pool/policy", "quota/rate_limit", "embed/call_args"];
    for source in source() {
        let name = source.name();
        if !pure.iter().any(|folder| folder == source.folder()) && !files.contains(&&*name) {
            continue;
        }
        for outside in ["wasmtime", "hyper", "tokio"] {
            assert!(!source.uses_crate(outside), "{name} is pure and uses {outside}");
        }
    }
}

#[test]
fn mechanism_stays_in_its_place() {
    for source in source() {
        let (name, folder) = (source.name(), source.folder());
        let may = |allowed: &[&str]| allowed.contains(&folder) || allowed.contains(&&*name);
        if source.uses_crate("wasmtime") {
            assert!(
                may(&["sandbox", "pool/driver", "builder/compiler", "internals"]),
                "{name} uses wasmtime"
            );
        }
        if source.uses(&["crate", "sandbox", "bindings"]) {
            assert!(may(&["sandbox", "pool/driver", "internals"]), "{name} uses the bindings");
        }
        if source.uses(&["std", "env"]) {
            assert!(
                may(&["config/cache_folder", "config/databases", "builder/python_env"]),
                "{name} reads the environment"
            );
        }
        if source.has_unsafe {
            assert!(may(&["sandbox/compile_cache", "sandbox/populate", "main"]), "{name} has unsafe code");
        }
    }
}

#[test]
fn every_file_says_its_purpose_and_is_of_a_size_to_be_read() {
    for source in source() {
        let (name, text) = (source.name(), &source.text);
        assert!(text.starts_with("//! "), "{name} does not say what it is");
        assert!(text.lines().count() <= 450, "{name} has {} lines", text.lines().count());
    }
}

/// Only the library's API is public.
#[test]
fn a_library_user_sees_embed_and_config_only() {
    let lib = fs::read_to_string(root().join("host/src/lib.rs")).unwrap();
    let public: Vec<_> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")).collect();
    assert_eq!(
        public,
        ["cli;", "config;", "embed;", "internals;"],
        "the first and the last are behind features"
    );
}

/// The picture in ARCHITECTURE.md: each folder above those that it uses. `UPDATE_PAGES=1` redraws it.
#[test]
fn the_picture_of_the_folders_is_that_of_the_table() {
    let mut floors: BTreeMap<String, usize> = BTreeMap::new();
    for folder in table() {
        let floor = folder.may_use.iter().map(|used| floors[used] + 1).max().unwrap_or(0);
        floors.insert(folder.name, floor);
    }
    let top = floors.values().copied().max().unwrap();
    let mut picture = "```text\n".to_owned();
    for floor in (0..=top).rev() {
        let names: Vec<_> =
            table().into_iter().map(|f| f.name).filter(|name| floors[name] == floor).collect();
        picture += &format!("{floor:2}  {}\n", names.join("   "));
    }
    picture += "```\n";
    let path = root().join("ARCHITECTURE.md");
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- folders: begin -->\n", "<!-- folders: end -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (found, after) = rest.split_once(end).unwrap();
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(&path, [before, begin, &picture, end, after].concat()).unwrap();
    } else {
        assert_eq!(found, picture, "run the tests with UPDATE_PAGES=1");
    }
}
