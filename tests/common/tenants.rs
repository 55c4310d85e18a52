//! Hosts with a host file, and the shop app that most of them serve.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{BINARY, Connection, Server, root, run, scratch};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A component of the shop that reports this version; built once for all tests.
pub fn shop(version: u32) -> PathBuf {
    static BUILDING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = BUILDING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = scratch("shop");
    let source = fs::read_to_string(root().join("tests/tenant/shop.py")).unwrap();
    let app = folder.join("shop.py");
    fs::write(&app, source.replace("VERSION = 1", &format!("VERSION = {version}"))).unwrap();
    let wasm = folder.join("shop.wasm");
    run(Command::new(BINARY).arg("build").arg(&app).arg("-o").arg(&wasm));
    wasm
}

/// Write a host file in a new folder.
pub fn host_file(text: &str) -> PathBuf {
    let file = scratch("host").join("host.toml");
    let server = "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 2\nadmin = \"127.0.0.1:0\"\n";
    fs::write(&file, server.to_owned() + text).unwrap();
    file
}

pub fn host(text: &str) -> Server {
    let server = Server::host(&host_file(text));
    ready(&server);
    server
}

/// Wait until every app is built.
pub fn ready(server: &Server) {
    until(|| Connection::to(server.admin()).get("/readyz").status == 200);
}

pub fn until(done: impl Fn() -> bool) {
    // A build next to a compiler of this project takes more than a minute.
    until_within(Duration::from_secs(300), done, || "nothing happened for five minutes".to_owned());
}

/// As `until`; `told` says what is wrong if it takes longer.
pub fn until_within(time: Duration, done: impl Fn() -> bool, told: impl Fn() -> String) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < time, "{}", told());
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn order(server: &Server, words: &[&str]) -> (bool, String) {
    let admin = server.admin().to_string();
    let mut command = Command::new(BINARY);
    command.args(words).args(["--admin", &admin]).env("BOLT_ADMIN_TOKEN", server.admin_token());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said.into_owned())
}
