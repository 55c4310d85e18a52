//! What an app's own code can see and change while it is built: its own files, and nothing else.

use crate::common::tenants::{host_file, order, ready, until};
use crate::common::{BINARY, Server, root, run, scratch};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const SECRET: &str = "only-the-operator-knows-4711";

const NEIGHBOUR: &str = r#"
import colorsys

import bolt.security
from bolt import BoltAPI

api = BoltAPI()

@api.get("/")
def index():
    return {"version": 1}
"#;

/// A tenant's folder beside its neighbour's, and above both what only the operator may see. The tenant says that its folder is a
/// package, and has links to all of it.
fn tenants(place: &Path) -> PathBuf {
    let tenant = place.join("tenant");
    fs::create_dir(&tenant).unwrap();
    fs::create_dir(place.join("neighbour")).unwrap();
    fs::write(place.join("secret.txt"), SECRET).unwrap();
    fs::write(place.join("neighbour/app.py"), NEIGHBOUR).unwrap();
    // No other run has built it.
    let text = fs::read_to_string(root().join("tests/intruder/app.py")).unwrap();
    fs::write(tenant.join("app.py"), format!("{text}\nUNIQUE = {:?}\n", place.display().to_string()))
        .unwrap();
    fs::write(tenant.join("own.txt"), "its own").unwrap();
    fs::write(tenant.join("__init__.py"), "").unwrap();
    fs::write(place.join("__init__.py"), "").unwrap();
    // A package of such a file may add worlds, and folders for their code.
    fs::create_dir(tenant.join("sdk")).unwrap();
    fs::write(tenant.join("sdk/componentize-py.toml"), "wit_directory = \"wit\"\nbindings = \"..\"\n")
        .unwrap();
    for (name, target) in [
        ("linked.txt", "../secret.txt"),
        ("linked.py", "../neighbour/app.py"),
        ("up", ".."),
        ("system", "/sys"),
        ("loop", "."),
    ] {
        symlink(target, tenant.join(name)).unwrap();
    }
    run(Command::new("mkfifo").arg(tenant.join("waits.py")));
    tenant.join("app.py")
}

/// Nothing of what an app found while it was built was anybody else's.
fn assert_kept_in(server: &Server, path: &str) {
    let seen = server.get(&format!("{path}/seen"));
    assert_eq!(seen.status, 200, "{}", seen.text());
    let text = seen.text();
    assert!(!text.contains(SECRET) && !text.contains("host.toml'") && !text.contains("def index"), "{text}");
    let seen = seen.json();
    let own: Vec<_> = seen
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, found)| !found.as_str().unwrap().starts_with("refused"))
        .map(|(what, _)| what.as_str())
        .collect();
    for what in &own {
        let is_own = ["list /0", "list /2", "plant in /0", "plant in /2", "link up", "environment"]
            .contains(what)
            || what.starts_with("poison")
            || what.starts_with("write /0/")
            || what.starts_with("write /2/")
            || what.starts_with("write linked");
        assert!(is_own, "{what}: {}", seen[*what]);
    }
    let listed = seen["list /0"].as_str().unwrap();
    assert!(listed.contains("app.py"), "{listed}");
    for name in ["linked", "up", "system", "neighbour", "secret", "waits", "componentize-py.toml"] {
        assert!(!listed.contains(name), "{listed}");
    }
    // The packages of the system's Python are not there.
    assert_eq!(seen["list /2"], "[]");
    assert_eq!(seen["environment"], "['PYTHONHOME', 'PYTHONPATH', 'PYTHONUNBUFFERED']");
    assert_eq!(server.get(&format!("{path}/own")).json(), json!("its own"));
}

#[test]
fn an_app_that_the_host_builds_sees_its_own_files_only() {
    let text = "[app.a-tenant]\nsource = \"tenant/app.py\"\nprefix = \"/tenant\"\n\
         [app.neighbour]\nsource = \"neighbour/app.py\"\nprefix = \"/neighbour\"\n\
         [app.package]\nsource = \"packages/shop/main.py\"\nroot = \"packages\"\nprefix = \"/package\"\n";
    let file = host_file(text);
    let place = file.parent().unwrap();
    tenants(place);
    fs::create_dir_all(place.join("packages/shop")).unwrap();
    fs::write(place.join("packages/shop/__init__.py"), "").unwrap();
    fs::write(place.join("packages/shop/main.py"), "from .routes import api\n").unwrap();
    fs::write(place.join("packages/shop/routes.py"), NEIGHBOUR).unwrap();
    let before = fs::read(&file).unwrap();
    let server = Server::host(&file);
    ready(&server);
    assert_kept_in(&server, "/tenant");
    // The neighbour is built after the tenant, again.
    let changed = NEIGHBOUR.replace("1}", "2}");
    fs::write(place.join("neighbour/app.py"), &changed).unwrap();
    until(|| server.get("/neighbour/").json() == json!({"version": 2}));
    assert_eq!(server.get("/package/").json(), json!({"version": 1}));
    assert_eq!(fs::read_to_string(place.join("neighbour/app.py")).unwrap(), changed);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::read_to_string(place.join("secret.txt")).unwrap(), SECRET);
    assert!(!place.join("planted.pth").exists() && !place.join("tenant/planted.pth").exists());
    // A link in place of the file itself is not followed either.
    fs::remove_file(place.join("tenant/app.py")).unwrap();
    symlink("../neighbour/app.py", place.join("tenant/app.py")).unwrap();
    server.log_with("is a link to a file outside");
    assert_kept_in(&server, "/tenant");
    let (done, said) = order(&server, &["apps"]);
    assert!(done && said.contains("a-tenant"), "{said}");
}

#[test]
fn an_app_that_is_built_into_a_file_sees_its_own_package_only() {
    let place = scratch("build");
    let app = tenants(&place);
    fs::remove_file(place.join("__init__.py")).unwrap();
    let wasm = place.join("tenant.wasm");
    run(Command::new(BINARY).arg("build").arg(&app).arg("-o").arg(&wasm));
    let built = fs::read(&wasm).unwrap();
    assert!(!built.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()));
    assert_eq!(fs::read_to_string(place.join("neighbour/app.py")).unwrap(), NEIGHBOUR);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 4, "it planted nothing");
    let server = Server::start(&wasm, &[]);
    let seen = server.get("/seen").json();
    assert_eq!(seen["list /0"], "['tenant']", "{seen}");
    assert!(!seen.to_string().contains(SECRET) && !seen.to_string().contains("def index"), "{seen}");
    // The same holds for its source, which is served before it is built.
    let server = Server::command(&["run", "--build=never"], &app, &[]);
    let seen = server.get("/seen").json();
    assert_eq!(seen["list /0"], "['tenant']", "{seen}");
    assert!(!seen.to_string().contains(SECRET) && !seen.to_string().contains("def index"), "{seen}");
    assert!(!place.join("tenant/planted.pth").exists());
}
