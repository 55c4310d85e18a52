//! The commands as a developer uses them: builds, mistakes, signals, ports.

use crate::common::{BINARY, Server, fixture, scratch};
use std::path::Path;
use std::process::{Command, Output};

fn bolt(args: &[&str]) -> Output {
    Command::new(BINARY).args(args).output().unwrap()
}

/// The error of a command that must fail.
fn refusal(args: &[&str]) -> String {
    let output = bolt(args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    said
}

fn build_error(source: &str) -> String {
    let folder = scratch("build");
    std::fs::write(folder.join("app.py"), source).unwrap();
    refusal(&["run", folder.join("app.py").to_str().unwrap(), "--port", "0"])
}

#[test]
fn mistakes_in_an_app_are_named() {
    const HEAD: &str = "from bolt import BoltAPI\napi = BoltAPI()\n";
    let said = build_error(&format!("{HEAD}@api.get('/')\ndef handler(x: range): ...\n"));
    assert!(said.contains("'x'") && said.contains("range") && said.contains("handler, app.py:4"), "{said}");

    let said = build_error(&format!(
        "{HEAD}@api.get('/a/{{x}}')\ndef one(x): ...\n@api.get('/a/{{y}}')\ndef two(y): ...\n"
    ));
    assert!(said.contains("two, app.py:6"), "{said}");

    let said = build_error("def broken(:\n    pass\n");
    assert!(
        said.contains("SyntaxError") && said.contains("app.py\", line 1") && said.contains("def broken(:"),
        "{said}"
    );

    let said = build_error("import no_such_module\n");
    assert!(said.contains("No module named 'no_such_module'") && said.contains("line 1"), "{said}");
    assert!(!said.contains("importlib") && !said.contains("bolt/"), "{said}");

    let said = build_error("from bolt import BoltAPI\nother = BoltAPI()\n");
    assert!(said.contains("no attribute api") && said.contains("--app app:attr"), "{said}");

    let said = build_error("api = 3\n");
    assert!(said.contains("is a int, not a BoltAPI"), "{said}");
}

#[test]
fn what_is_no_app_is_refused_with_a_sentence() {
    let folder = scratch("refused");
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    assert!(refusal(&["run", "/no/such/app.py"]).contains("no such file"));
    assert!(refusal(&["run", "/no/such/app.wasm"]).contains("no such file"));
    assert!(refusal(&["run", &file("app.txt", b"x")]).contains(".py file"));
    assert!(refusal(&["run", &file("not-a-name.py", b"x")]).contains("rename the file"));
    assert!(refusal(&["run", &file("text.wasm", b"hello")]).contains("not WebAssembly"));
    assert!(refusal(&["run", &file("module.wasm", b"\0asm\x01\0\0\0")]).contains("core WebAssembly module"));
    assert!(refusal(&["run", &file("cut.wasm", b"\0asm\x0d\0\x01\0\x07\xff")]).contains("damaged"));
    assert!(refusal(&["run", &file("empty.wasm", b"\0asm\x0d\0\x01\0")]).contains("another world"));
    let other = |interface: &str| {
        wat::parse_str(format!("(component (instance $i) (export \"{interface}\" (instance $i)))")).unwrap()
    };
    let said = refusal(&["run", &file("world.wasm", &other("wasi:http/handler@0.3.0"))]);
    assert!(said.contains("another world") && said.contains("wasi:http/handler@0.3.0"), "{said}");
    let said = refusal(&["run", &file("abi.wasm", &other("bolt:host/handlers@0.0.9"))]);
    assert!(said.contains("ABI 0.0.9") && said.contains("build it again"), "{said}");
    // The right name, but an empty interface.
    for version in ["0.4.0", "0.4.1", "0.4.3"] {
        let said = refusal(&["run", &file("hollow.wasm", &other(&format!("bolt:host/handlers@{version}")))]);
        assert!(said.contains("another world"), "{said}");
    }
    for (flag, value) in [
        ("--port", "99999"),
        ("--workers", "0"),
        ("--deadline", "soon"),
        ("--memory", "1TB"),
        ("--host", "nowhere"),
        ("--allow-http", "http://x"),
        ("--max-cpu-ms", "0"),
    ] {
        let output = bolt(&["run", "x.py", flag, value]);
        assert_eq!(output.status.code(), Some(2), "{flag} {value}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(flag), "{flag} {value}");
    }
    assert!(refusal(&["run", fixture().to_str().unwrap(), "--memory", "8MiB"]).contains("raise --memory"));
}

#[test]
fn a_missing_python_is_named() {
    let output = Command::new(BINARY)
        .args(["run", fixture().to_str().unwrap(), "--port", "0", "--cache"])
        .arg(scratch("cache"))
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("python3") && said.contains("venv"), "{said}");
}

#[test]
fn a_port_in_use_is_named() {
    let server = Server::fixture(&["--workers", "1"]);
    let port = server.address.port().to_string();
    let said = refusal(&["run", fixture().to_str().unwrap(), "--port", &port]);
    assert!(said.contains("in use") && said.contains("--port"), "{said}");
    server.assert_well();
}

#[test]
fn nothing_is_built_again_when_nothing_changed() {
    drop(Server::fixture(&["--workers", "1"]));
    let server = Server::fixture(&["--workers", "1"]);
    assert!(!server.log().contains("building") && !server.log().contains("compiling"), "{}", server.log());
    let table = server.greeting.join("\n");
    let line = table.lines().find(|line| line.contains("/types/path/{number}/{text}")).unwrap();
    assert!(line.contains("GET ") && line.contains("def path_types  app.py:"), "{table}");
}

#[test]
fn a_built_component_is_served_without_python() {
    let folder = scratch("built");
    let wasm = folder.join("app.wasm");
    let output = bolt(&["build", fixture().to_str().unwrap(), "-o", wasm.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let served = without_python(&wasm);
    assert_eq!(served, "from the helper");

    let output = bolt(&["inspect", wasm.to_str().unwrap()]);
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    for shown in [
        "POST /models/struct",
        "person: Person in body",
        "number: int in path",
        "color?: Enum(\"red\", \"blue\") in query",
        "bolt:host/host@0.4.4",
        "bolt:host/http@0.4.4",
        "wasi:clocks/monotonic-clock",
        "component",
        "compiled",
    ] {
        assert!(report.contains(shown), "{shown} is not in\n{report}");
    }
}

fn without_python(wasm: &Path) -> String {
    // The server inherits a PATH without programs, so it cannot run any.
    let mut server = Command::new(BINARY)
        .args(["run", wasm.to_str().unwrap(), "--port", "0"])
        .env("PATH", "/nowhere")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(server.stdout.take().unwrap()));
    let address = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some(address) = line.strip_prefix("listening on http://") {
            break address.parse().unwrap();
        }
    };
    let answer = crate::common::Connection::to(address).get("/helper").json();
    server.kill().unwrap();
    server.wait().unwrap();
    answer.as_str().unwrap().to_owned()
}

/// A program that is killed closes the pipes that it held.
#[test]
fn a_server_ends_with_the_program_that_started_it() {
    let mut server = Server::fixture(&["--workers", "1"]);
    let mut busy = server.connect();
    busy.start("GET", "/sleep?ms=500", &[], b"");
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(server.child.stdin.take());
    assert_eq!(busy.finish("GET").text(), "\"slept\"");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn signals_drain_what_is_in_flight() {
    for signal in ["-INT", "-TERM"] {
        let mut server = Server::fixture(&["--workers", "2"]);
        let mut idle = server.connect();
        assert_eq!(idle.get("/created").status, 201);
        let mut busy = server.connect();
        busy.start("GET", "/sleep?ms=1000", &[], b"");
        let mut computing = server.connect();
        computing.start("GET", "/spin?ms=1000", &[], b"");
        std::thread::sleep(std::time::Duration::from_millis(300));
        server.signal(signal);
        assert_eq!(busy.finish("GET").text(), "\"slept\"", "{signal}");
        assert_eq!(computing.finish("GET").text(), "\"spun\"", "{signal}");
        assert_eq!(server.wait(), Some(0), "{signal}");
    }
}

#[test]
fn a_drain_has_an_end() {
    let mut server = Server::fixture(&["--workers", "1", "--drain", "300ms"]);
    let mut busy = server.connect();
    busy.start("GET", "/sleep?ms=60000", &[], b"");
    std::thread::sleep(std::time::Duration::from_millis(200));
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    assert!(server.log().contains("--drain"), "{}", server.log());
}

#[test]
fn help_teaches() {
    let help = String::from_utf8(bolt(&["--help"]).stdout).unwrap();
    assert!(help.contains("bolt-host run app.py") && help.contains("inspect"), "{help}");
    let help = String::from_utf8(bolt(&["run", "--help"]).stdout).unwrap();
    for flag in [
        "--host",
        "--port",
        "--workers",
        "--instances",
        "--app",
        "--deadline",
        "--memory",
        "--max-body",
        "--log-format",
        "--max-requests",
    ] {
        assert!(help.contains(flag), "{flag}");
    }
}
