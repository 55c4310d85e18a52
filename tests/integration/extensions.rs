//! Compiled modules in the sandbox, from wheels that `bolt-host wheel` has built: the folder that BOLT_WHEELS names, which `.ci/run`
//! fills.

use crate::common::packages::copied;
use crate::common::{Server, root};
use std::path::{Path, PathBuf};

/// The folder of wheels, if it has these packages.
fn wheels(wanted: &[&str]) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("BOLT_WHEELS")?);
    let folder = if folder.is_absolute() { folder } else { root().join(folder) };
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let has = |name: &&str| names.iter().any(|file| file.to_string_lossy().starts_with(&format!("{name}-")));
    wanted.iter().all(has).then_some(folder)
}

/// Answers from source, flat and linked, which must not differ.
fn answers(app: &Path, wheels: &Path, paths: &[&str]) -> Vec<String> {
    let wheels = wheels.to_str().unwrap();
    let ask = |command: &[&str], flags: &[&str]| -> Vec<String> {
        let server = Server::command(command, app, &[&["--wheels", wheels], flags].concat());
        let all = paths.iter().map(|path| {
            let answer = server.get(path);
            format!("{} {}", answer.status, answer.text())
        });
        let all = all.collect();
        server.assert_no_panic("extensions");
        all
    };
    let flat = ask(&["run", "--build=first"], &[]);
    assert_eq!(ask(&["run", "--build=first"], &["--no-flatten"]), flat, "linked");
    assert_eq!(ask(&["dev"], &[]), flat, "from source");
    flat
}

#[test]
fn extensions_in_c_run_flat_linked_and_from_source() {
    let Some(wheels) = wheels(&["markupsafe", "msgspec"]) else { return required("markupsafe, msgspec") };
    let app = copied("extensions-c", &["tests/wheels/compiled.py"]);
    let found = answers(&app, &wheels, &["/escape", "/decode", "/wrong", "/deep"]);
    assert_eq!(
        found,
        [
            r#"200 {"native":true,"escaped":"&lt;b&gt;Tom &amp; &#39;Jerry&#39;&lt;/b&gt;"}"#,
            r#"200 [{"item":"tea","count":2},{"item":"milk","count":1}]"#,
            r#"200 "Expected `int`, got `str` - at `$[0].count`""#,
            r#"200 "RecursionError""#,
        ]
    );
}

#[test]
fn extensions_in_rust_run_flat_linked_and_from_source() {
    let Some(wheels) = wheels(&["markupsafe", "msgspec", "orjson", "pydantic_core"]) else { return };
    let app = copied("extensions-rust", &["tests/wheels/app.py", "tests/wheels/requirements.txt"]);
    let found = answers(&app, &wheels, &["/markupsafe", "/msgspec", "/orjson", "/pydantic-core"]);
    assert!(found.iter().all(|answer| answer.starts_with("200 ")), "{found:?}");
    assert!(found[0].contains("\"native\":true"));
}

fn required(packages: &str) {
    let is_required = std::env::var_os("BOLT_REQUIRE_WHEELS").is_some();
    assert!(!is_required, "BOLT_WHEELS names no folder with wheels of {packages}");
}
