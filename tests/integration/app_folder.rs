//! What lies in an app's folder: read at import and at run time, from source and built; and what a build fixes.

use crate::common::tenants::{host_file, order, ready};
use crate::common::{BINARY, Server, run, said, scratch};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const APP: &str = r#"
import os
import random
from pathlib import Path
from bolt import BoltAPI, FileResponse

api = BoltAPI()
HERE = Path(__file__).parent
PAGE = (HERE / "templates" / "page.html").read_text()
STAGE = os.environ.get("STAGE", "none")
PLAIN, SEEDED = random.Random(), random.Random(42)


@api.get("/pages")
def pages() -> list[str]:
    return [PAGE, (HERE / "templates" / "page.html").read_text()]


@api.get("/names")
def names() -> list[str]:
    return sorted(str(path.relative_to(HERE)) for path in HERE.rglob("*") if path.is_file())


@api.get("/sent")
def sent() -> FileResponse:
    return FileResponse(HERE / "templates" / "page.html")


@api.get("/missing")
def missing() -> str:
    return Path("/elsewhere/file.txt").read_text()


@api.get("/changed")
def changed() -> str:
    try:
        (HERE / "templates" / "page.html").write_text("changed")
    except OSError as error:
        return type(error).__name__
    return "written"


@api.get("/kept")
def kept(text: str) -> str:
    Path("/data/note.txt").write_text(text)
    return Path("/data/note.txt").read_text()


@api.get("/stage")
def stage() -> list[str]:
    return [STAGE, os.environ.get("STAGE", "none")]


@api.get("/drawn", isolation="fresh")
def drawn() -> list[float]:
    return [PLAIN.random(), SEEDED.random()]
"#;

/// An app of its own, which no other run has built.
fn project() -> PathBuf {
    let folder = scratch("folder");
    for (name, text) in [
        ("app.py", format!("{APP}\nUNIQUE = {:?}\n", folder.display().to_string())),
        ("templates/page.html", "<p>one</p>".to_owned()),
        ("notes.md", "not served".to_owned()),
        (".boltignore", "notes.md\n".to_owned()),
        (".env", "SECRET=1".to_owned()),
        ("shop.sqlite3", "changes".to_owned()),
        ("data/note.txt", "before".to_owned()),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn assert_read(server: &Server, text: &str) {
    assert_eq!(server.get("/pages").json(), json!([text, text]));
    let sent = server.get("/sent");
    assert_eq!(
        (sent.status, sent.text(), &*sent.headers["content-type"]),
        (200, text, "text/html; charset=utf-8")
    );
    assert_eq!(server.get("/changed").json(), json!("PermissionError"));
}

#[test]
fn files_beside_the_app_are_read_from_source_and_built() {
    let folder = project();
    let app = folder.join("app.py");
    let data = format!("--write=/data={}", folder.join("data").display());
    let built = json!(["app.py", "templates/page.html"]);
    let server = Server::command(&["run", "--build=first"], &app, &[&data]);
    assert_read(&server, "<p>one</p>");
    assert_eq!(server.get("/names").json(), built);
    assert_eq!(server.get("/kept?text=after").json(), json!("after"));
    let lost = server.get("/missing");
    assert_eq!(lost.status, 500);
    let log = server.log_with("FileNotFoundError");
    assert!(log.contains("--files"), "{log}");
    assert!(log.contains(&format!("\"request\":{}", lost.headers["x-request-id"])), "{log}");
    drop(server);
    // What it has written is no part of it: nothing is built again.
    let server = Server::command(&["run", "--build=first"], &app, &[&data]);
    assert!(!server.log().contains("building"), "{}", server.log());
    drop(server);

    // A component carries its files to a machine that has no others.
    let wasm = scratch("carried").join("app.wasm");
    let told = said(
        Command::new(BINARY)
            .arg("build")
            .arg(&app)
            .arg("--left-out")
            .arg(folder.join("data"))
            .arg("-o")
            .arg(&wasm),
    );
    let version = &told.split(", version ").nth(1).unwrap()[..12];
    assert!(
        said(Command::new(BINARY).arg("inspect").arg(&wasm)).contains(&format!("version {version},")),
        "{told}"
    );
    fs::write(folder.join("templates/page.html"), "<p>two</p>").unwrap();
    let server = Server::start(&wasm, &[]);
    assert_read(&server, "<p>one</p>");
    assert_eq!(server.get("/names").json(), built);
    drop(server);

    let server = Server::command(&["dev"], &app, &[]);
    assert_read(&server, "<p>two</p>");
    fs::write(folder.join("templates/page.html"), "<p>three</p>").unwrap();
    assert_read(&server, "<p>three</p>");
    server.assert_no_panic("files");
}

#[test]
fn a_changed_template_is_a_new_version() {
    let folder = project();
    let file = host_file(&format!(
        "[app.pages]\nsource = \"{0}/app.py\"\nfiles = {{ \"/data\" = {{ path = \"{0}/data\", write = true }} }}\n",
        folder.display()
    ));
    let server = Server::host(&file);
    ready(&server);
    assert_read(&server, "<p>one</p>");
    fs::write(folder.join("templates/page.html"), "<p>two</p>").unwrap();
    // One worker may serve it before another; once it is logged, all do.
    let log = server.log_with("the new version is served");
    assert_read(&server, "<p>two</p>");
    // Whoever reads the log knows whose build it was.
    let is_build = |line: &&str| line.contains("\"target\":\"build\"") && line.contains("\"app\":\"pages\"");
    assert!(log.lines().any(|line| is_build(&line)), "{log}");
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
}

#[test]
fn a_mistake_in_the_source_is_told_before_the_build() {
    let folder = project();
    let file = host_file(&format!("[app.pages]\nsource = \"{}/app.py\"\n", folder.display()));
    let server = Server::host(&file);
    ready(&server);
    let source = fs::read_to_string(folder.join("app.py")).unwrap();
    // The interpreter that finds mistakes is made once the apps are built.
    let runs = Server::command(&["run", "--build=never"], &folder.join("app.py"), &[]);
    drop(runs);
    fs::write(folder.join("app.py"), format!("import nothing_of_this_name\n{source}")).unwrap();
    let log = server.log_with("No module named 'nothing_of_this_name'");
    let built = log.lines().filter(|line| line.contains("building app")).count();
    assert_eq!(built, 1, "only the first version was built: {log}");
    let (done, told) = order(&server, &["apps"]);
    assert!(done && told.contains("old version") && told.contains("nothing_of_this_name"), "{told}");
    let output = Command::new(BINARY).arg("build").arg(folder.join("app.py")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("nothing_of_this_name"), "{told}");
    assert!(!told.contains("building"), "{told}");
}

fn warned(told: &str) -> bool {
    told.contains("warning: app.py:10 reads the variable STAGE while the app is imported")
}

#[test]
fn what_a_build_fixes_is_told_and_can_be_given() {
    let folder = project();
    let app = folder.join("app.py");
    let stages = |flags: &[&str]| {
        let server = Server::command(&["run", "--build=first"], &app, flags);
        (server.get("/stage").json(), server.log())
    };
    let (seen, log) = stages(&["--env", "STAGE=run"]);
    assert_eq!(seen, json!(["none", "run"]));
    assert!(warned(&log) && log.contains("which has no effect"), "{log}");
    let (seen, _) = stages(&["--build-env", "STAGE=bu'ild é😀"]);
    assert_eq!(seen, json!(["bu'ild é😀", "none"]));
    let (seen, _) = stages(&["--build-env", "STAGE=build", "--env", "STAGE=run"]);
    assert_eq!(seen, json!(["build", "run"]));
    let output =
        Command::new(BINARY).arg("build").arg(&app).arg("-o").arg(folder.join("app.wasm")).output().unwrap();
    assert!(output.status.success() && warned(&String::from_utf8_lossy(&output.stderr)), "{output:?}");
    let file =
        host_file(&format!("[app.a]\nsource = \"{}\"\n[app.a.build-env]\nSTAGE = \"host\"\n", app.display()));
    let server = Server::host(&file);
    ready(&server);
    assert_eq!(server.get("/stage").json(), json!(["host", "none"]));
    run(Command::new(BINARY).arg("check").arg(&file));
}

#[test]
fn generators_made_at_import_differ_unless_they_were_seeded() {
    let server = Server::command(&["run", "--build=first"], &project().join("app.py"), &[]);
    let drawn: Vec<_> = (0..8).map(|_| server.get("/drawn").json()).collect();
    let plain: BTreeSet<_> = drawn.iter().map(|pair| pair[0].to_string()).collect();
    assert_eq!(plain.len(), 8, "{drawn:?}");
    // CPython's `random.Random(42).random()`.
    assert!(drawn.iter().all(|pair| pair[1] == json!(0.639_426_798_457_883_7)), "{drawn:?}");
}

#[test]
fn flags_and_names_of_other_servers_are_explained() {
    let refused = |words: &[&str], app: &Path| {
        let output = Command::new(BINARY).args(words).arg(app).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let folder = scratch("leftovers");
    let app = folder.join("app.py");
    fs::write(&app, "from fastapi import FastAPI\napp = FastAPI()\n").unwrap();
    assert!(refused(&["run", "--reload"], &app).contains("bolt-host dev"));
    let told = refused(&["build"], &app);
    assert!(told.contains("No module named 'fastapi'") && told.contains("hint: "), "{told}");
}

#[test]
fn inspect_says_why_a_route_fails() {
    let folder = scratch("inspected");
    let app = folder.join("app.py");
    fs::write(
        &app,
        "from bolt import BoltAPI, Request\napi = BoltAPI()\n\n\n@api.get('/')\ndef index(request: Request) -> str:\n    raise ValueError('no such luck')\n",
    )
    .unwrap();
    let told = said(Command::new(BINARY).arg("inspect").arg(&app));
    assert!(told.contains("→  500 (ValueError: no such luck)"), "{told}");
    assert!(told.contains("index()") && told.contains("whole request"), "{told}");
}
