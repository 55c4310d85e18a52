//! A MariaDB server of a test's own.

use crate::common::tenants::until;
use crate::common::{is_root, run};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A server that listens on a socket in its folder, with a user `app` and a database of this name.
pub struct MariaDb {
    folder: PathBuf,
    child: Child,
}

impl MariaDb {
    /// `None`, with a sentence, where none is installed.
    pub fn start(name: &str) -> Option<Self> {
        if Command::new("mariadbd").arg("--version").stdout(Stdio::null()).status().is_err() {
            let why = "no mariadbd is installed";
            assert!(std::env::var_os("BOLT_REQUIRE_MARIADB").is_none(), "{why}");
            let _ = writeln!(std::io::stderr(), "A test of MariaDB is skipped: {why}.");
            return None;
        }
        // The path of a socket is short.
        let folder = std::env::temp_dir().join(format!("bolt-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut options =
            vec!["--no-defaults".to_owned(), format!("--datadir={}", folder.join("data").display())];
        if is_root() {
            options.push("--user=root".to_owned());
        }
        let mut install = Command::new("mariadb-install-db");
        install.args(&options).args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        run(install.current_dir(&folder).stdout(Stdio::null()));
        let first = folder.join("first.sql");
        let user = "create user 'app'@'localhost' identified by 'secret';\n";
        std::fs::write(
            &first,
            format!("{user}create database app;\ngrant all on app.* to 'app'@'localhost';\n"),
        )
        .unwrap();
        let mut server = Command::new("mariadbd");
        server.args(&options).args(["--skip-networking", "--innodb-flush-log-at-trx-commit=0"]);
        server.arg(format!("--socket={}", folder.join("socket").display()));
        server.arg(format!("--init-file={}", first.display()));
        let child = server.current_dir(&folder).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { folder, child };
        until(|| UnixStream::connect(server.socket()).is_ok());
        Some(server)
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
