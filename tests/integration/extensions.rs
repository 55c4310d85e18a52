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

/// A path, and the body of a POST.
type Ask<'a> = (&'a str, Option<&'a str>);

fn ask(command: &[&str], flags: &[&str], app: &Path, wheels: &Path, asks: &[Ask<'_>]) -> Vec<String> {
    let server = Server::command(command, app, &[&["--wheels", wheels.to_str().unwrap()], flags].concat());
    let mut all = Vec::new();
    for (path, body) in asks {
        let answer = match body {
            Some(body) => server.post(path, body),
            None => server.get(path),
        };
        all.push(format!("{} {}", answer.status, answer.text()));
    }
    server.assert_no_panic("extensions");
    all
}

/// Answers from source, flat and linked, which must not differ.
fn answers(app: &Path, wheels: &Path, paths: &[&str]) -> Vec<String> {
    let asks: Vec<_> = paths.iter().map(|path| (*path, None)).collect();
    let flat = ask(&["run", "--build=first"], &[], app, wheels, &asks);
    assert_eq!(ask(&["run", "--build=first"], &["--no-flatten"], app, wheels, &asks), flat, "linked");
    assert_eq!(ask(&["dev"], &[], app, wheels, &asks), flat, "from source");
    flat
}

#[test]
fn extensions_in_c_run_flat_linked_and_from_source() {
    let wanted = ["markupsafe", "msgspec"];
    let Some(wheels) = wheels(&wanted) else { return required(&wanted) };
    let app = copied("extensions-c", "tests/wheels", &["compiled.py"]);
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
    let wanted = ["markupsafe", "msgspec", "orjson", "pydantic_core"];
    let Some(wheels) = wheels(&wanted) else { return required(&wanted) };
    let app = copied("extensions-rust", "tests/wheels", &["app.py", "requirements.txt"]);
    let found = answers(&app, &wheels, &["/markupsafe", "/msgspec", "/orjson", "/pydantic-core"]);
    assert!(found.iter().all(|answer| answer.starts_with("200 ")), "{found:?}");
    assert!(found[0].contains("\"native\":true"));
}

#[test]
fn models_of_pydantic_and_an_app_of_fastapi_answer() {
    let wanted = ["msgspec", "orjson", "pydantic_core"];
    let Some(wheels) = wheels(&wanted) else { return required(&wanted) };
    let built = ["run", "--build=first"];
    let models = copied("extensions-models", "tests/pydantic", &["app.py"]);
    let found = ask(
        &built,
        &[],
        &models,
        &wheels,
        &[
            ("/orders", Some(r#"{"item": "tea", "tags": ["a"]}"#)),
            ("/orders", Some(r#"{"item": "nothing", "count": 0}"#)),
            ("/items", Some(r#"[{"itemName": "tea"}]"#)),
            ("/own", Some(r#"{"item": "tea", "count": 2}"#)),
            ("/undeclared", None),
        ],
    );
    assert_eq!(found[0], r#"200 {"item":"Tea","count":1,"at":null,"tags":["a"],"label":"1 x Tea"}"#);
    assert!(found[1].starts_with("422 ") && found[1].contains("there is nothing to order"), "{}", found[1]);
    assert_eq!(found[2..4], [r#"200 [{"itemName":"tea","count":1}]"#, r#"200 {"item":"tea","count":2}"#]);
    assert!(found[4].starts_with("200 ") && found[4].contains(r#""itemName":"b""#), "{}", found[4]);

    let fastapi = copied("extensions-fastapi", "tests/wheels", &["fastapi_app.py"]);
    let order = r#"{"id": "00000000-0000-0000-0000-000000000001", "day": "2026-01-02", "lines": [{"item": " tea ", "price": "1.50", "count": 2}]}"#;
    let found = ask(
        &built,
        &[],
        &fastapi,
        &wheels,
        &[
            ("/", None),
            ("/sync/ann?q=1", None),
            ("/orjson", None),
            ("/stream", None),
            ("/depends", None),
            ("/denied", None),
            ("/orders", Some(order)),
            ("/orders", Some("{}")),
        ],
    );
    assert_eq!(
        found[..6],
        [
            r#"200 {"hello":"async"}"#,
            r#"200 {"hello":"ann","q":1}"#,
            r#"200 {"a":"00000000-0000-0000-0000-000000000001","day":"2026-01-02","z":[1,2.5,null,"é"]}"#,
            "200 part 0\npart 1\npart 2\n",
            r#"401 {"detail":"who?"}"#,
            r#"418 {"denied":"/denied"}"#,
        ]
    );
    assert!(found[6].starts_with("201 ") && found[6].contains(r#""total":"3.00""#), "{}", found[6]);
    assert!(found[7].starts_with("422 ") && found[7].contains(r#""loc":["body","id"]"#), "{}", found[7]);
}

fn required(packages: &[&str]) {
    let is_required = std::env::var_os("BOLT_REQUIRE_WHEELS").is_some();
    assert!(!is_required, "BOLT_WHEELS names no folder with wheels of {}", packages.join(", "));
}
