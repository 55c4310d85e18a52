//! A Redis or Valkey server of a test's own.

use crate::common::tenants::until;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A broker that listens on a socket of its own, and keeps nothing.
pub struct Broker {
    folder: PathBuf,
    child: Child,
}

impl Broker {
    /// `None`, with a sentence, where none is installed.
    pub fn start(name: &str) -> Option<Self> {
        // The path of a socket is short.
        let folder = std::env::temp_dir().join(format!("bolt-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let child = ["valkey-server", "redis-server"].iter().find_map(|program| spawn(program, &folder));
        if child.is_none() {
            let why = "no valkey-server or redis-server is installed";
            assert!(std::env::var_os("BOLT_REQUIRE_BROKER").is_none(), "{why}");
            let _ = writeln!(std::io::stderr(), "A test with a broker is skipped: {why}.");
        }
        Some(Self { folder, child: child? }.ready())
    }

    fn ready(self) -> Self {
        until(|| UnixStream::connect(self.socket()).is_ok());
        self
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn restart(&mut self) {
        let child = ["valkey-server", "redis-server"].iter().find_map(|program| spawn(program, &self.folder));
        self.child = child.unwrap();
        until(|| UnixStream::connect(self.socket()).is_ok());
    }

    /// The first line of the answer.
    pub fn ask(&self, command: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn spawn(program: &str, folder: &Path) -> Option<Child> {
    let mut command = Command::new(program);
    command.args(["--port", "0", "--save", "", "--unixsocket", "socket", "--dir"]).arg(folder);
    command.current_dir(folder).stdout(Stdio::null()).spawn().ok()
}
