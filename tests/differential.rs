//! The same app on FastAPI and in bolt-host, and thousands of requests to both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::Server;
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

/// Python with FastAPI; made once.
fn python() -> PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fastapi");
    let wanted = PEERS.join(" ");
    if fs::read_to_string(venv.join("ready")).ok().as_deref() != Some(&wanted) {
        let run = |command: &mut Command| assert!(command.status().unwrap().success(), "{command:?}");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        run(Command::new(venv.join("bin/python")).args(["-m", "pip", "install", "--quiet"]).args(PEERS));
        fs::write(venv.join("ready"), wanted).unwrap();
    }
    venv.join("bin/python")
}

/// The app beside the framework it is to run on.
fn app(framework: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("differential").join(framework);
    fs::create_dir_all(&place).unwrap();
    fs::copy(folder().join("app.py"), place.join("app.py")).unwrap();
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
    let mut child = Command::new(python())
        .args(["-m", "uvicorn", "app:app", "--port", "0", "--no-access-log"])
        .current_dir(app("native"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("running on")).expect("uvicorn starts");
    // Whoever writes into a full pipe waits.
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
    let output = Command::new(python())
        .arg(folder().join("compare.py"))
        .args([&address, &format!("http://{}", server.address)])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
