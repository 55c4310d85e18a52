//! Test support: the real binary on a free port, and a small HTTP client over real sockets.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod broker;
pub mod chunked;
pub mod handmade;
pub mod http2;
pub mod inserts;
pub mod mariadb;
pub mod packages;
pub mod pair;
pub mod postgres;
pub mod tenants;
pub mod websocket;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub const BINARY: &str = env!("CARGO_BIN_EXE_bolt-host");
/// Longer than any wait of a test: only a hang reaches it.
pub const PATIENCE: Duration = Duration::from_secs(180);

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub fn fixture() -> PathBuf {
    root().join("tests/fixture/app.py")
}

/// A new folder for a test, below the target folder.
pub fn scratch(name: &str) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let unique = format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Run a program to its end, and show its output if it fails.
pub fn run(command: &mut Command) {
    said(command);
}

/// Run a program to its end; returns what it says.
pub fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
    said.into_owned()
}

/// Whether the tests run as root, as which some servers refuse to.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Build the LD_PRELOAD library that intercepts calls of the C library.
pub fn shim() -> String {
    let library = scratch("shim").join("shim.so");
    let source = root().join("tests/common/shim.c");
    run(Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source));
    library.to_str().unwrap().to_owned()
}

/// The tokens of admin endpoints that servers of these tests told.
static TOKENS: Mutex<BTreeMap<SocketAddr, String>> = Mutex::new(BTreeMap::new());

/// A server that runs until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub child: Child,
    log: PathBuf,
    pub greeting: Vec<String>,
}

impl Server {
    /// Serve the fixture app with further flags.
    pub fn fixture(flags: &[&str]) -> Self {
        Self::start(&fixture(), flags)
    }

    /// Serve an app that is built first, so that no build takes over during a test.
    pub fn start(app: &Path, flags: &[&str]) -> Self {
        Self::command(&["run", "--build=first"], app, flags)
    }

    pub fn command(command: &[&str], app: &Path, flags: &[&str]) -> Self {
        let (mut command, words) = (Command::new(BINARY), command);
        command.args(words).arg(app).args(["--port", "0"]).args(flags);
        if !flags.contains(&"--log-format") {
            command.args(["--log-format", "json"]);
        }
        Self::spawn(command)
    }

    /// Serve a host file; the server listens on a free port.
    pub fn host(file: &Path) -> Self {
        let mut command = Command::new(BINARY);
        command.arg("serve").arg(file).args(["--log-format", "json"]);
        Self::spawn(command)
    }

    /// Start a server, and wait until it listens.
    pub fn spawn(mut command: Command) -> Self {
        let log = scratch("server").join("log");
        // It must not outlive the tests, also when these are killed: then its standard input is closed.
        command.arg("--exit-on-stdin-close").stdin(Stdio::piped());
        // One folder for the process: a host that is started again finds what was deployed.
        let versions = format!("versions-{}", std::process::id());
        command.env("BOLT_HOST_VERSIONS", Path::new(env!("CARGO_TARGET_TMPDIR")).join(versions));
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut greeting = Vec::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("the server did not start:\n{}", std::fs::read_to_string(&log).unwrap());
            };
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.parse().unwrap();
            }
            greeting.push(line);
        };
        let server = Self { address, child, log, greeting };
        if let (Some(admin), Some(token)) =
            (server.told("admin endpoint on http://"), server.told("admin token "))
        {
            TOKENS.lock().unwrap().insert(admin.parse().unwrap(), token.to_owned());
        }
        server
    }

    fn told(&self, start: &str) -> Option<&str> {
        self.greeting.iter().find_map(|line| line.strip_prefix(start))
    }

    /// The address of its admin endpoint.
    pub fn admin(&self) -> SocketAddr {
        let told = self.told("admin endpoint on http://");
        told.unwrap_or_else(|| panic!("no admin endpoint: {:?}", self.greeting)).parse().unwrap()
    }

    /// The token of that endpoint.
    pub fn admin_token(&self) -> String {
        TOKENS.lock().unwrap()[&self.admin()].clone()
    }

    /// The sum of the metrics whose name and labels begin with `wanted`.
    pub fn metric(&self, wanted: &str) -> f64 {
        let text = Connection::to(self.admin()).get("/metrics").text().to_owned();
        let values = text.lines().filter(|line| line.starts_with(wanted));
        let values: Vec<f64> = values.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
        assert!(!values.is_empty(), "{wanted} is not in\n{text}");
        values.iter().sum()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The log, once it contains `wanted`: a separate thread writes it.
    pub fn log_with(&self, wanted: &str) -> String {
        let start = Instant::now();
        loop {
            let log = self.log();
            if log.contains(wanted) {
                return log;
            }
            assert!(start.elapsed() < PATIENCE, "{wanted:?} is not in the log:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    pub fn get(&self, path: &str) -> Response {
        self.connect().get(path)
    }

    pub fn post(&self, path: &str, body: &str) -> Response {
        self.connect().send("POST", path, &[("content-type", "application/json")], body.as_bytes())
    }

    /// Send raw bytes on a new connection; returns what comes back until it closes.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Assert that the server still works, and that no thread of it panicked.
    pub fn assert_well(&self) {
        assert_eq!(self.get("/created").status, 201);
        self.assert_no_panic("the server");
    }

    /// Assert that no thread of the host panicked. Guests may: their output is logged as JSON lines.
    pub fn assert_no_panic(&self, name: &str) {
        let log = self.log();
        let panicked = log.lines().position(|line| line.contains("panicked") && !line.starts_with('{'));
        if let Some(at) = panicked {
            panic!("{name}: {}", log.lines().skip(at).take(20).collect::<Vec<_>>().join("\n"));
        }
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Wait for the server to exit; returns the exit code, unless it was killed.
    pub fn wait(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "the server does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A keep-alive connection. To an admin endpoint it sends the token with each request.
pub struct Connection {
    pub stream: BufReader<TcpStream>,
    token: Option<String>,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Connection {
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let token = TOKENS.lock().unwrap().get(&address).cloned();
        Self { stream: BufReader::new(stream), token }
    }

    /// The same without a token.
    pub fn to_stranger(address: SocketAddr) -> Self {
        Self { token: None, ..Self::to(address) }
    }

    pub fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.start(method, path, headers, body);
        self.finish(method)
    }

    /// Send a request without waiting for the response.
    pub fn start(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head += "host: localhost\r\n";
        }
        if let Some(token) = &self.token {
            head += &format!("authorization: Bearer {token}\r\n");
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!("content-length: {}\r\n", body.len());
        }
        let bytes = [head.as_bytes(), b"\r\n", body].concat();
        self.stream.get_mut().write_all(&bytes).unwrap();
    }

    pub fn finish(&mut self, method: &str) -> Response {
        let mut response = self.head();
        let bodiless = method == "HEAD" || matches!(response.status, 204 | 304);
        if bodiless {
            return response;
        }
        if response.is_chunked() {
            while let Some(chunk) = self.chunk().expect("the connection broke in a body") {
                response.body.extend(chunk);
            }
            return response;
        }
        let length = response.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        response.body = vec![0; length];
        self.stream.read_exact(&mut response.body).unwrap();
        response
    }

    /// The head of a response.
    pub fn head(&mut self) -> Response {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let status =
            line.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {line:?}")).parse().unwrap();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        Response { status, headers, body: Vec::new() }
    }
}

impl Response {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The `type` and `loc` of each error of a 422.
    pub fn errors(&self) -> Vec<(String, String)> {
        assert_eq!(self.status, 422, "{}", self.text());
        let detail = self.json()["detail"].as_array().unwrap().clone();
        detail
            .iter()
            .map(|error| {
                assert!(error["msg"].is_string() && error.get("input").is_some(), "{error}");
                let loc = error["loc"].as_array().unwrap().iter();
                let loc: Vec<_> = loc.map(|step| step.to_string().replace('"', "")).collect();
                (error["type"].as_str().unwrap().to_owned(), loc.join("."))
            })
            .collect()
    }
}

/// Anonymous memory of a process, in bytes. Mapped code is left out: whether it counts as private depends on whether
/// another server runs the same app.
pub fn private_memory(pid: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Anonymous:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
