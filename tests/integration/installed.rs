//! Packages that an app asks for: installed once, from wheels only, where the operator allows it.

use crate::common::tenants::{host, host_file, until};
use crate::common::{BINARY, Connection, Server, root, run, scratch};
use serde_json::json;
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of wheels, and the file that code of theirs would make.
struct Wheels {
    folder: PathBuf,
    mark: PathBuf,
}

impl Wheels {
    fn new() -> Self {
        let scratch = scratch("wheels");
        let (folder, mark) = (scratch.join("wheels"), scratch.join("mark"));
        let script = root().join("tests/packages/make_wheels.py");
        run(Command::new("python3").arg(script).arg(&folder).arg(&mark));
        Self { folder, mark }
    }

    fn flags(&self) -> [&str; 4] {
        ["--packages", "wheels", "--wheels", self.folder.to_str().unwrap()]
    }
}

impl Drop for Wheels {
    fn drop(&mut self) {
        assert!(!self.mark.exists(), "code of a package has run");
    }
}

const APP: &str = r#"
import importlib.metadata
import importlib.resources

import greeting
import own
from bolt import BoltAPI

api = BoltAPI()


@api.get("/")
def home() -> list[str]:
    text = importlib.resources.files("greeting").joinpath("data/text.txt").read_text()
    return [greeting.WORD, text, importlib.metadata.version("greeting"), own.NAME]
"#;

/// An app of its own, with these files beside it.
fn app(source: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = scratch("installed");
    let unique = format!("UNIQUE = {:?}\n", folder.display().to_string());
    fs::write(folder.join("app.py"), format!("{source}\n{unique}")).unwrap();
    fs::write(folder.join("own.py"), "NAME = 'own'\n").unwrap();
    files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
    folder.join("app.py")
}

/// What the program says when it cannot build an app.
fn refused(app: &Path, flags: &[&str]) -> String {
    let mut command = Command::new(BINARY);
    let output = command.arg("build").arg(app).args(flags).arg("-o").arg(scratch("none").join("x.wasm"));
    let output = output.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn packages_are_there_from_source_and_built() {
    let wheels = Wheels::new();
    let app = app(APP, &[("requirements.txt", "greeting==1.0  # says hello\ngunicorn\n")]);
    let expected = json!(["hello", "a text", "1.0", "own"]);
    let server = Server::command(&["run"], &app, &[&wheels.flags()[..], &["--build", "never"]].concat());
    assert_eq!(server.get("/").json(), expected);
    drop(server);
    let server = Server::command(&["run"], &app, &[&wheels.flags()[..], &["--build", "first"]].concat());
    assert_eq!(server.get("/").json(), expected);
    assert!(!server.log().contains("installing"), "they were installed before");
    drop(server);

    // An edit of what it asks for is an edit of the app.
    let server = Server::command(&["dev"], &app, &wheels.flags());
    assert_eq!(server.get("/").json(), expected);
    let source = fs::read_to_string(&app).unwrap();
    let asks = "# /// script\n# dependencies = [\"greeting\", \"markupsafe\"]\n# ///\n";
    let more = source.replace("return [", "import markupsafe\n    return [markupsafe.SPEED, ");
    fs::write(&app, format!("{asks}{more}")).unwrap();
    assert_eq!(server.get("/").json(), json!(["pure", "hello", "a text", "1.0", "own"]));
    fs::write(&app, format!("{}{more}", asks.replace("greeting", "fast"))).unwrap();
    let answer = server.get("/");
    assert!(answer.text().contains("fast==1.0 is compiled for Linux"), "{}", answer.text());
}

const EDITED: &str = r#"
import os
import sys

EARLY = "many" in sys.modules
os.environ["STAGE"] = "one"
import many
import many.after
from bolt import BoltAPI

api = BoltAPI()


@api.get("/")
def home() -> list[str | bool | int]:
    return [EARLY, many.stage.STAGE, many.after.APP, 0]
"#;

/// What an edit does not change is imported once, and nobody sees it but by the time that it takes.
#[test]
fn packages_are_not_imported_again_after_an_edit() {
    let wheels = Wheels::new();
    let app = app(EDITED, &[("requirements.txt", "many\n")]);
    let edit = |old: &str, new: &str| {
        let source = fs::read_to_string(&app).unwrap();
        assert!(source.contains(old), "{source}");
        fs::write(&app, source.replace(old, new)).unwrap();
    };
    let server = Server::command(&["dev"], &app, &wheels.flags());
    assert_eq!(server.get("/").json(), json!([false, "one", "app", 0]));
    let edits = Cell::new(0);
    let is_early = |stage: &str| {
        edit(&format!(", {}]", edits.get()), &format!(", {}]", edits.get() + 1));
        edits.set(edits.get() + 1);
        let answer = server.get("/").json();
        assert_eq!(answer, json!([answer[0], stage, "app", edits.get()]));
        answer[0] == json!(true)
    };
    until(|| is_early("one"));
    assert!(is_early("one"));
    // What the app sets before it imports them may matter to them.
    edit("\"one\"", "\"two\"");
    assert_eq!(server.get("/").json(), json!([false, "two", "app", edits.get()]));
    until(|| is_early("two"));
    server.assert_no_panic("early imports");
    drop(server);

    let server = Server::command(&["dev"], &app, &wheels.flags());
    assert_eq!(server.get("/").json()[0], json!(true), "the next start has them");
    drop(server);
    let server = Server::command(&["dev", "--import-again"], &app, &wheels.flags());
    assert_eq!(server.get("/").json()[0], json!(false));
    assert!(!server.log().contains("building a runner"), "{}", server.log());
}

#[test]
fn what_the_sandbox_cannot_use_is_named() {
    let wheels = Wheels::new();
    for (asks, why) in [
        ("fast", "bolt-host wheel fast==1.0"),
        ("other", "has a wheel of other"),
        ("elsewhere", "asks for other at an address"),
        ("greeting==2.0", "greeting==2.0"),
        ("-e .", "does not follow -e"),
        ("other @ file:///tmp/x.tar.gz", "names an address"),
        ("greeting --hash=sha256:00", "sha256"),
    ] {
        let app = app(APP, &[("requirements.txt", asks)]);
        let said = refused(&app, &wheels.flags());
        assert!(said.contains(why), "{asks}: {said}");
    }
    // A lock says which versions, and which hashes they have.
    let lock = |hash: &str| {
        let source = "source = { registry = \"https://pypi.org/simple\" }";
        let wheel =
            format!("{{ url = \"https://x/greeting-1.0-py3-none-any.whl\", hash = \"sha256:{hash}\" }}");
        format!("[[package]]\nname = \"greeting\"\nversion = \"1.0\"\n{source}\nwheels = [{wheel}]\n")
    };
    let project = "[project]\nname = \"x\"\ndependencies = [\"greeting\"]\n";
    let app = app(APP, &[("pyproject.toml", project), ("uv.lock", &lock(&"0".repeat(64)))]);
    assert!(refused(&app, &wheels.flags()).contains("greeting"));
    let small = [&wheels.flags()[..], &["--with", "vast", "--build-disk", "100MiB"]].concat();
    fs::remove_file(app.with_file_name("uv.lock")).unwrap();
    let said = refused(&app, &small);
    assert!(said.contains("--build-disk") || said.contains("too large"), "{said}");
}

#[test]
fn a_host_installs_where_its_operator_allows_it() {
    let wheels = Wheels::new();
    let app = app(APP, &[("requirements.txt", "greeting")]);
    let source = app.display();
    let file = host_file(&format!("[app.shop]\nsource = \"{source}\"\n"));
    let output = Command::new(BINARY).arg("check").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("greeting") && said.contains("packages = \"index\""), "{said}");
    let folder = wheels.folder.display();
    let server =
        host(&format!("[app.shop]\nsource = \"{source}\"\npackages = \"wheels\"\nwheels = [\"{folder}\"]\n"));
    until(|| Connection::to(server.admin()).get("/readyz").status == 200);
    assert_eq!(server.get("/").json(), json!(["hello", "a text", "1.0", "own"]));
    server.assert_no_panic("installing");
}
