//! Apps that harm whoever builds them: imports that never end, components that take a compiler for ever, links to where files never
//! end. They cost their limits, and neither the host nor a neighbour.

use crate::common::handmade::Handmade;
use crate::common::tenants::{host_file, order, until};
use crate::common::{BINARY, Connection, Server};
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

const NEIGHBOUR: &str = "
from bolt import BoltAPI

api = BoltAPI()
VERSION = 1

@api.get('/version')
def version():
    return VERSION
";

/// An app of this text in a folder of its own, beside the host file.
fn app(file: &Path, name: &str, text: &str) {
    let folder = file.with_file_name(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("app.py"), text).unwrap();
}

/// Every process below another one.
fn descendants(of: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::from([of]);
    loop {
        let before = found.len();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
            let parent = rest.split(' ').nth(1).unwrap().parse().unwrap();
            if found.contains(&parent) {
                found.insert(pid);
            }
        }
        if found.len() == before {
            found.remove(&of);
            return found;
        }
    }
}

fn is_running(pid: u32) -> bool {
    // A killed orphan stays until its new parent has waited for it.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
}

/// Whether a build runs the app's own code: componentize-py is below the child that prepares the app.
fn is_building(server: &Server) -> bool {
    descendants(server.child.id()).iter().any(|pid| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains("componentize"))
    })
}

#[test]
fn an_import_that_never_ends_keeps_no_neighbour_from_its_update_and_does_not_outlive_the_host() {
    let file = host_file(
        "[app.endless]\nsource = \"endless/app.py\"\nprefix = \"/endless\"\n\
         [app.late]\nsource = \"late/app.py\"\nprefix = \"/late\"\nlimits = { build-timeout = \"3s\" }\n\
         [app.neighbour]\nsource = \"neighbour/app.py\"\nprefix = \"/neighbour\"\n",
    );
    let endless = "while True: pass\n";
    app(&file, "endless", endless);
    app(&file, "late", endless);
    // Its folder leads to where files never end.
    symlink("/sys", file.with_file_name("endless").join("sys")).unwrap();
    symlink("/proc", file.with_file_name("endless").join("proc")).unwrap();
    let unique = format!("{NEIGHBOUR}\nUNIQUE = {:?}\n", file.display().to_string());
    app(&file, "neighbour", &unique);
    let server = Server::host(&file);
    until(|| server.get("/neighbour/version").status == 200);
    server.log_with("took longer than build-timeout in [app.NAME.limits]");
    until(|| is_building(&server));
    app(&file, "neighbour", &unique.replace("VERSION = 1", "VERSION = 2"));
    until(|| server.get("/neighbour/version").json() == json!(2));
    assert_eq!(server.get("/endless/").status, 503);
    assert_eq!(Connection::to(server.admin()).get("/healthz").status, 200);
    until(|| is_building(&server));
    let below = descendants(server.child.id());
    server.signal("-KILL");
    until(|| !below.iter().any(|pid| is_running(*pid)));
    server.assert_no_panic("builds");
}

/// Functions that are small, and that a compiler takes long and much memory for: in each of the loops around it, each local has a
/// value of its own.
fn heavy(functions: usize, loops: usize, locals: usize) -> String {
    let mut text = String::new();
    for function in 0..functions {
        let _ = write!(text, "(func $heavy{function} (param $n i32) (local{})", " i32".repeat(locals));
        (0..loops).for_each(|number| write!(text, " loop $l{number}").unwrap());
        for local in 1..=locals {
            let other = local * 7 % locals + 1;
            let _ = write!(text, " local.get {other} local.get 0 i32.add local.set {local}");
        }
        for number in (0..loops).rev() {
            let _ = write!(text, " local.get {} br_if $l{number} end", number % locals + 1);
        }
        text.push(')');
    }
    text
}

/// Wait until an app cannot be served, for a reason with these words.
fn assert_problem(server: &Server, app: &str, words: &str) {
    let problem = || {
        let apps = Connection::to(server.admin()).get("/apps").json();
        let shown =
            apps["apps"].as_array().unwrap().iter().find(|shown| shown["app"] == app).unwrap().clone();
        shown["problem"].as_str().unwrap_or_default().to_owned()
    };
    until(|| !problem().is_empty());
    assert!(problem().contains(words), "{app}: {}", problem());
    assert_eq!(server.get(&format!("/{app}/ok")).status, 503);
}

/// Its compiled code and its manifest are in the cache, for another app with larger limits.
#[test]
fn what_is_too_large_for_an_app_is_refused_although_another_app_has_it() {
    // Limits of sizes begin at 8 KiB.
    let paths: Vec<_> = (0..300).map(|number| format!("/route-{number}")).collect();
    let mut routes: Vec<_> = paths.iter().map(|path| (path.as_str(), false, "call $ok")).collect();
    routes.push(("/ok", false, "call $ok"));
    let good = Handmade { routes: &routes, ..Handmade::default() }.write("large");
    let known = "[app.good]\nsource = \"good.wasm\"\nprefix = \"/good\"\n";
    let described = "[app.described]\nsource = \"good.wasm\"\nprefix = \"/described\"\nlimits = { manifest = \"9KiB\" }\n";
    let sized =
        "[app.sized]\nsource = \"good.wasm\"\nprefix = \"/sized\"\nlimits = { component = \"9KiB\" }\n";
    let start = |apps: &str| {
        let file = host_file(apps);
        fs::copy(&good, file.with_file_name("good.wasm")).unwrap();
        let server = Server::host(&file);
        until(|| server.get("/good/ok").status == 200);
        server
    };
    drop(start(known));
    let server = start(&[known, described, sized].concat());
    for (app, limit) in [("described", "manifest"), ("sized", "component")] {
        let limit = format!("({limit} in [app.NAME.limits])");
        assert_problem(&server, app, &limit);
        let (done, said) = order(&server, &["deploy", app, good.to_str().unwrap()]);
        assert!(!done && said.contains(&limit), "{said}");
    }
    assert_eq!(server.get("/good/ok").status, 200);
    server.assert_no_panic("sizes");
}

#[test]
fn a_component_that_takes_a_compiler_for_ever_is_refused_and_the_host_goes_on() {
    let good = Handmade::default().write("good");
    let file = host_file(
        "[app.slow]\nsource = \"slow.wasm\"\nprefix = \"/slow\"\nlimits = { build-timeout = \"5s\" }\n\
         [app.fat]\nsource = \"fat.wasm\"\nprefix = \"/fat\"\nlimits = { build-memory = \"300MiB\" }\n\
         [app.endless]\nsource = \"endless.wasm\"\nprefix = \"/endless\"\nlimits = { deadline = \"2s\" }\n\
         [app.start]\nsource = \"start.wasm\"\nprefix = \"/start\"\nlimits = { deadline = \"2s\" }\n\
         [app.neighbour]\nsource = \"neighbour.wasm\"\nprefix = \"/neighbour\"\n",
    );
    let put = |name: &str, component: Handmade<'_>| {
        fs::copy(component.write(name), file.with_file_name(format!("{name}.wasm"))).unwrap();
    };
    put("slow", Handmade { more: &heavy(400, 60, 500), ..Handmade::default() });
    put("fat", Handmade { more: &heavy(3, 400, 4000), ..Handmade::default() });
    put("endless", Handmade { describe: "call $spin", ..Handmade::default() });
    put("start", Handmade { start: "call $spin", ..Handmade::default() });
    fs::copy(&good, file.with_file_name("neighbour.wasm")).unwrap();
    let server = Server::host(&file);
    until(|| server.get("/neighbour/ok").status == 200);
    for (app, limit) in [
        ("slow", "its build took longer than build-timeout in [app.NAME.limits]"),
        ("fat", "its build needs more memory than build-memory in [app.NAME.limits]"),
        ("endless", "longer than deadline in [app.NAME.limits] to import it"),
        ("start", "longer than deadline in [app.NAME.limits] to import it"),
    ] {
        assert_problem(&server, app, limit);
    }
    // A deployment gets the same answer, and is over then.
    for (app, word) in [("slow", "build-timeout"), ("fat", "build-memory"), ("endless", "deadline")] {
        let bad = file.with_file_name(format!("{app}.wasm"));
        let (done, said) = order(&server, &["deploy", app, bad.to_str().unwrap()]);
        assert!(!done && said.contains(word), "{said}");
    }
    let (done, said) = order(&server, &["deploy", "slow", good.to_str().unwrap()]);
    assert!(done, "{said}");
    assert_eq!(server.get("/slow/ok").status, 200);
    assert_eq!(server.get("/neighbour/ok").status, 200);
    server.assert_no_panic("compiling");
}

#[test]
fn a_command_that_builds_names_the_limit_that_was_reached() {
    let file = host_file("");
    app(&file, "endless", "while True: pass\n");
    app(
        &file,
        "writer",
        "
data = 'x' * 1000000
for number in range(10000):
    with open(f'/world/{number}.txt', 'w') as file:
        file.write(data)
",
    );
    app(
        &file,
        "eater",
        "
data = []
while True:
    data.append(bytearray(1000000))
",
    );
    fs::write(file.with_file_name("eater").join("large.bin"), vec![0; 3_000_000]).unwrap();
    for (name, flag, words) in [
        ("endless", "--build-timeout=5s", "longer than --build-timeout"),
        ("writer", "--build-disk=400MiB", "more files than --build-disk"),
        ("eater", "--build-memory=700MiB", "MemoryError"),
        ("eater", "--build-disk=2MiB", "raise --build-disk"),
    ] {
        let app = file.with_file_name(name).join("app.py");
        let target = file.with_file_name("app.wasm");
        let output =
            Command::new(BINARY).arg("build").arg(app).arg("-o").arg(&target).arg(flag).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{name} {flag}: {said}");
        assert!(!target.exists());
    }
}
