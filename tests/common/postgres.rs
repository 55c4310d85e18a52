//! A Postgres server of a test's own.

use crate::common::{is_root, run};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server that listens on a socket in its folder, and keeps nothing.
pub struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
}

impl Postgres {
    /// `None`, with a sentence, where none is installed.
    pub fn start(name: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            let why = "no Postgres server is installed";
            assert!(std::env::var_os("BOLT_REQUIRE_POSTGRES").is_none(), "{why}");
            let _ = writeln!(std::io::stderr(), "A test of Postgres is skipped: {why}.");
            return None;
        };
        // The path of a socket is short.
        let folder = std::env::temp_dir().join(format!("bolt-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder));
        }
        let server = Self { folder, programs };
        let data = server.folder.join("data");
        let made = ["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--pgdata"];
        run(server.program("initdb").args(made).arg(&data));
        server.again();
        Some(server)
    }

    /// Start it again.
    pub fn again(&self) {
        let socket = self.folder.display();
        let options = format!("-k {socket} -c listen_addresses='' -c fsync=off -c max_connections=50");
        let log = self.folder.join("log");
        let start = ["start", "--wait", "--options", &options, "--log"];
        run(self.control().args(start).arg(log));
    }

    /// As if it were killed.
    pub fn stop(&self) {
        run(self.control().args(["stop", "--mode=immediate"]));
    }

    pub fn url(&self) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}/postgres")
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// Make a user that needs a password.
    pub fn user(&self, name: &str, password: &str) {
        let rules = self.folder.join("data/pg_hba.conf");
        let others = std::fs::read_to_string(&rules).unwrap();
        std::fs::write(&rules, format!("local all {name} scram-sha-256\n{others}")).unwrap();
        let made = format!("create user {name} password '{password}'; grant all on schema public to {name}");
        let place = ["--quiet", "--username=postgres", "--host"];
        let commands = ["--command", &made, "--command", "select pg_reload_conf()", "--output=/dev/null"];
        run(Command::new("psql").args(place).arg(&self.folder).args(commands));
    }

    fn control(&self) -> Command {
        let mut command = self.program("pg_ctl");
        command.arg("--silent").arg("--pgdata").arg(self.folder.join("data"));
        command
    }

    /// It refuses to run as root.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program).current_dir(&self.folder);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.control().args(["stop", "--mode=immediate"]).output();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Debian keeps the programs of the server out of the path.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = versions.map(|version| version.path().join("bin"));
    let has_it = |folder: &PathBuf| Path::new(&folder.join("initdb")).is_file();
    std::env::split_paths(&path).chain(folders).find(has_it)
}
