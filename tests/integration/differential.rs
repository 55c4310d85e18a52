//! Runs the same app on FastAPI and in bolt-host, and compares thousands of responses.

use crate::common::packages::python_tools;
use crate::common::{Server, run};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const PEERS: [&str; 6] = [
    "fastapi==0.165.0",
    "starlette==1.10.0",
    "pydantic==2.14.3",
    "uvicorn==0.54.0",
    "httpx==0.28.1",
    "python-multipart==0.0.34",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/differential")
}

/// Python with FastAPI.
fn python() -> PathBuf {
    python_tools("fastapi", &PEERS).join("python")
}

/// A folder with the app and the framework module that it runs on.
fn app(framework: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("differential").join(framework);
    fs::create_dir_all(&place).unwrap();
    for name in ["app.py", "kinds.py"] {
        fs::copy(folder().join(name), place.join(name)).unwrap();
    }
    fs::copy(folder().join(framework).join("framework.py"), place.join("framework.py")).unwrap();
    place
}

struct Native(Child);

impl Drop for Native {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// FastAPI on uvicorn, and its address.
fn native() -> (Native, String) {
    // It ends when its standard input is closed, so that it does not outlive the tests.
    let program = "import os, sys, threading, uvicorn\n\
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()\n\
        uvicorn.main(['app:app', '--port', '0', '--no-access-log'])";
    let mut child = Command::new(python())
        .args(["-c", program])
        .current_dir(app("native"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("running on")).expect("uvicorn starts");
    // A process that writes to a full pipe blocks.
    std::thread::spawn(move || lines.for_each(drop));
    let address = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    (Native(child), address)
}

#[test]
fn answers_are_those_of_fastapi() {
    let source = app("sandbox").join("app.py");
    let server = Server::start(
        &source,
        &["--app", "app:app", "--workers", "1", "--instances", "1", "--log-format", "off"],
    );
    let (_native, address) = native();
    let sandbox = format!("http://{}", server.address);
    run(Command::new(python()).arg(folder().join("compare.py")).args([&address, &sandbox]));
}
