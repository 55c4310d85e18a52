//! What the source promises of itself: layers, told by `use` lines.

use std::fs;
use std::path::Path;

fn source(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    // Tests at the end of a file may use what they like.
    text.split("#[cfg(test)]")
        .next()
        .unwrap()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".rs")).collect()
}

#[test]
fn pure_stages_know_no_engine_and_no_network() {
    let pure = [
        "route",
        "params",
        "manifest",
        "marshal",
        "json",
        "escape",
        "reply",
        "scalar",
        "validate",
        "errors422",
        "policy",
        "grants",
        "folders",
        "check",
        "types",
        "unions",
        "values",
        "form",
        "docs",
        "manifest_wire",
        "hosts",
        "rate",
        "direct",
        "units",
    ];
    for name in pure {
        let text = source(&format!("{name}.rs"));
        for outside in ["wasmtime", "hyper", "tokio", "crate::store", "crate::guest", "crate::server"] {
            assert!(!text.contains(outside), "{name}.rs uses {outside}");
        }
    }
}

#[test]
fn mechanism_stays_in_its_place() {
    for name in files() {
        let text = source(&name);
        let may = |allowed: &[&str]| allowed.contains(&name.as_str());
        if text.contains("wasmtime") {
            let engine = [
                "artifact.rs",
                "bindings.rs",
                "builder.rs",
                "component.rs",
                "driver.rs",
                "engine.rs",
                "exchanges.rs",
                "guest.rs",
                "guestlog.rs",
                "store.rs",
            ];
            assert!(may(&engine), "{name} uses wasmtime");
        }
        if text.contains("crate::bindings") {
            assert!(
                may(&["component.rs", "driver.rs", "exchanges.rs", "guest.rs", "store.rs"]),
                "{name} uses the bindings"
            );
        }
        if text.contains("std::env::") {
            assert!(may(&["cli.rs", "main.rs"]), "{name} reads the environment");
        }
        if text.contains("unsafe") && !text.contains("unsafe_code") {
            panic!("{name} has unsafe code");
        }
        // Of the library, and the program's own.
        assert!(may(&["artifact.rs", "main.rs"]) || !text.contains("unsafe {"), "{name} has unsafe code");
    }
}

#[test]
fn every_file_says_its_purpose_and_is_of_a_size_to_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for name in files() {
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        assert!(text.starts_with("//! "), "{name} does not say what it is");
        assert!(text.lines().count() <= 450, "{name} has {} lines", text.lines().count());
    }
}
