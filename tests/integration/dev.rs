//! The edit loop: `dev` follows the source files, and `run` serves the source until the app is built.

use crate::common::{BINARY, Server, fixture, scratch};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const APP: &str = r#"
from pathlib import Path

import helper
from bolt import BoltAPI

api = BoltAPI()
DATA = Path(__file__).with_name("data.txt").read_text()
calls = []

@api.get("/")
def first():
    calls.append(1)
    return {"version": 1, "helper": helper.VALUE, "data": DATA, "calls": len(calls)}

@api.get("/sleeping")
async def sleeping():
    import asyncio

    await asyncio.sleep(0.01)
    return {"version": 1}

@api.get("/broken")
def broken():
    raise ValueError("mended soon")

@api.get("/reading")
def reading():
    return open(__file__).read()

@api.get("/dying")
def dying():
    data = b"x"
    while True:
        data += data
"#;

fn project() -> PathBuf {
    let folder = scratch("dev");
    fs::write(folder.join("app.py"), APP).unwrap();
    fs::write(folder.join("helper.py"), "VALUE = 'old'\n").unwrap();
    fs::write(folder.join("data.txt"), "data").unwrap();
    folder
}

fn edit(path: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(old), "{text}");
    fs::write(path, text.replace(old, new)).unwrap();
}

#[test]
fn every_request_is_answered_by_the_files_as_they_are() {
    let folder = project();
    let app = folder.join("app.py");
    let server = Server::command(&["dev"], &app, &[]);
    let answer = |version: u32, helper: &str, calls: u32| json!({"version": version, "helper": helper, "data": "data", "calls": calls});
    assert_eq!(server.get("/").json(), answer(1, "old", 1));
    assert_eq!(server.get("/").json(), answer(1, "old", 2), "without an edit the interpreter is kept");
    let mut kept = server.connect();
    for version in 2..6 {
        edit(&app, &format!("\"version\": {}", version - 1), &format!("\"version\": {version}"));
        assert_eq!(kept.get("/").json(), answer(version, "old", 1));
        assert_eq!(server.get("/sleeping").json(), json!({"version": version}));
    }
    edit(&folder.join("helper.py"), "old", "newer");
    assert_eq!(server.get("/").json(), answer(5, "newer", 1));
    fs::write(folder.join("unused.py"), "def broken(:").unwrap();
    assert_eq!(server.get("/").json(), answer(5, "newer", 1), "a new file is seen; nobody imports it");
    let log = server.log_with("unused.py: reloaded");
    assert!(log.contains("helper.py: reloaded in"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn errors_are_shown_to_the_developer_only() {
    let folder = project();
    let app = folder.join("app.py");
    let server = Server::command(&["dev"], &app, &["--memory", "40MiB", "--deadline", "2s"]);
    let broken = server.get("/broken");
    assert_eq!((broken.status, &*broken.headers["content-type"]), (500, "text/plain; charset=utf-8"));
    assert!(
        broken.text().contains("in broken\n    raise ValueError") && broken.text().contains("mended soon")
    );
    assert!(server.get("/dying").text().contains("MemoryError"));
    assert!(server.get("/reading").text().contains("def reading"), "handlers may read files of the app");

    edit(&app, "import helper", "import helper, nothing_of_this_name");
    let unloaded = server.get("/nowhere");
    assert_eq!(unloaded.status, 500);
    assert!(unloaded.text().contains("No module named 'nothing_of_this_name'"), "{}", unloaded.text());
    edit(&app, "import helper, nothing_of_this_name", "import helper\n)");
    assert!(server.get("/").text().contains("SyntaxError"));
    edit(&app, "import helper\n)", "import helper");
    assert_eq!(server.get("/").json()["version"], json!(1));
    edit(&app, "def first():", "def first(x: range):");
    assert!(server.get("/").text().contains("'x'"), "a refused route is told as a build tells it");

    let server = Server::command(&["run", "--build=never"], &fixture(), &["--workers", "1"]);
    let broken = server.get("/raises");
    assert_eq!(broken.status, 500);
    assert_eq!(broken.json(), json!({"detail": "Internal Server Error"}));
    server.assert_well();
}

#[test]
fn run_answers_from_the_source_until_the_app_is_built() {
    let folder = project();
    // Unique content, so that no build is cached for it.
    edit(&folder.join("helper.py"), "old", &format!("built {}", std::process::id()));
    let server = Server::command(&["run"], &folder.join("app.py"), &["--workers", "2"]);
    assert_eq!(server.get("/").json()["version"], json!(1));
    // Every request is answered while the built app takes over.
    while !server.log().contains("the built app takes over") {
        assert_eq!(server.get("/").json()["version"], json!(1));
        assert_eq!(server.get("/sleeping").status, 200);
    }
    for _ in 0..20 {
        assert_eq!(server.get("/").json()["data"], json!("data"));
    }
    drop(server);
    let again = Server::command(&["run"], &folder.join("app.py"), &["--workers", "1"]);
    assert_eq!(again.get("/").status, 200);
    assert!(!again.log().contains("building"), "{}", again.log());
}

#[test]
fn an_import_that_never_ends_is_ended() {
    let folder = project();
    let app = folder.join("app.py");
    let server = Server::command(&["dev"], &app, &["--deadline", "2s"]);
    assert_eq!(server.get("/").status, 200);
    edit(&app, "calls = []", "calls = []\nwhile True: pass");
    assert!(server.get("/").text().contains("--deadline"));
    edit(&app, "while True: pass", "");
    assert_eq!(server.get("/").status, 200);
    edit(&app, "calls = []", "calls = []\nwhile True: pass");
    let output = Command::new(BINARY).arg("run").arg(&app).args(["--deadline", "1s"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("--deadline"));
}

#[test]
fn the_source_finds_what_the_built_app_finds() {
    let folder = scratch("package");
    let package = folder.join("shop");
    fs::create_dir_all(package.join("routers")).unwrap();
    fs::write(package.join("__init__.py"), "").unwrap();
    fs::write(package.join("routers/__init__.py"), "").unwrap();
    fs::write(package.join("routers/items.py"), ITEMS).unwrap();
    fs::write(package.join("main.py"), MAIN).unwrap();
    fs::create_dir(folder.join("data")).unwrap();
    fs::write(folder.join("data/a.txt"), "a file").unwrap();
    let files = format!("--files=/data={}", folder.join("data").display());
    for command in ["--build=never", "--build=first"] {
        let server = Server::command(&["run", command], &package.join("main.py"), &[&files]);
        assert_eq!(server.get("/items/late").json(), json!(["optional", 64, "a file"]), "{command}");
        assert_eq!(server.get("/items/none").status, 500);
        assert!(server.log_with("ModuleNotFoundError").contains("No module named 'nothing_of_this_name'"));
    }
}

const MAIN: &str = "
from zoneinfo import ZoneInfo

from bolt import FastAPI

from .routers import items

app = FastAPI()
app.include_router(items.router)
";

const ITEMS: &str = r#"
from bolt import APIRouter

router = APIRouter(prefix="/items")

@router.get("/late")
def late():
    import hashlib
    import secrets

    try:
        import ujson
    except ImportError:
        ujson = "optional"
    digest = hashlib.sha256(secrets.token_bytes()).hexdigest()
    with open("/data/a.txt") as file:
        return [ujson, len(digest), file.read()]

@router.get("/none")
def none():
    import nothing_of_this_name
"#;

#[test]
fn what_cannot_be_edited_is_refused() {
    let output = Command::new(BINARY).args(["dev", "app.wasm"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains(".py file"));
    let folder = project();
    edit(&folder.join("app.py"), "data += data", "data += data\n\n\napi = None");
    let output = Command::new(BINARY).arg("run").arg(folder.join("app.py")).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a BoltAPI"));
}
