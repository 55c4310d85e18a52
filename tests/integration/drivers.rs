//! Drivers of Python and of PyPI in apps, as they are: pg8000, PyMySQL, redis-py and smtplib, with real servers.

use crate::common::broker::Broker;
use crate::common::mariadb::MariaDb;
use crate::common::packages::app_with_packages;
use crate::common::postgres::Postgres;
use crate::common::{Server, root};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const PACKAGES: [&str; 3] = ["pg8000==1.31.6", "PyMySQL==1.2.4", "redis==8.1.0"];

fn host(ports: &[u16]) -> Server {
    let granted: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let mut flags = vec!["--workers", "1"];
    for place in &granted {
        flags.extend(["--allow-tcp", place]);
    }
    Server::start(&app_with_packages("outbound-drivers", "tests/outbound/drivers.py", &PACKAGES), &flags)
}

/// A port of loopback whose connections go on to a socket in a folder, where no other test can take its place.
fn in_front_of(socket: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = UnixStream::connect(&socket) else { continue };
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
            std::thread::spawn(move || {
                let (mut from, mut to) = (server, client);
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    port
}

#[test]
fn pg8000_logs_in_with_a_password() {
    let Some(postgres) = Postgres::start("driver") else { return };
    postgres.user("app", "secret");
    let port = in_front_of(postgres.socket());
    let server = host(&[port]);
    let told = server.get(&format!("/postgres?port={port}")).json();
    let wanted =
        json!({"same": true, "error": "DatabaseError", "large": 3_000_000, "passwords": "scram-sha-256"});
    assert_eq!(told, wanted);
    server.assert_no_panic("the host");
}

#[test]
fn pymysql_speaks_to_mariadb() {
    let Some(mariadb) = MariaDb::start("driver-mysql") else { return };
    let port = in_front_of(mariadb.socket());
    let server = host(&[port]);
    let told = server.get(&format!("/mysql?port={port}")).json();
    assert_eq!(told, json!({"same": true, "error": "IntegrityError", "large": 3_000_000}));
    server.assert_no_panic("the host");
}

#[test]
fn redis_py_waits_in_both_ways() {
    let Some(broker) = Broker::start("driver-redis") else { return };
    let port = in_front_of(broker.socket());
    let server = host(&[port]);
    let told = server.get(&format!("/redis?port={port}")).json();
    assert_eq!(told, json!({"large": true, "list": 100, "waited": null, "heard": "hello"}));
    let told = server.get(&format!("/async-redis?port={port}")).json();
    assert_eq!(told, json!({"numbers": 190, "late": true, "there": true}));
    server.assert_no_panic("the host");
}

/// The mail server of the SDK's tests.
struct Mail(Child);

impl Drop for Mail {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn smtplib_sends_mail_with_starttls_and_nothing_reaches_what_was_not_granted() {
    let tests = root().join("guest-python/tests");
    let mut command = Command::new("python3");
    command.arg(tests.join("tcp_suite/servers.py")).arg("smtp").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut mail = Mail(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(mail.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port: u16 = line.trim().parse().unwrap();
    let server = host(&[port]);
    let ca = authority(&tests.join("tls/authority.pem"));
    let told = server.post(&format!("/mail?port={port}&ca={ca}"), "").json();
    assert_eq!(told, json!({"untrusted": true, "refused": {}}));
    let refused = server.get("/refused").json();
    for name in ["postgres", "mysql", "redis", "mail"] {
        assert!(refused[name].as_str().unwrap().contains("--allow-tcp 127.0.0.1:1"), "{name}: {refused}");
    }
    server.assert_no_panic("the host");
}

/// A certificate, escaped for a query.
fn authority(file: &Path) -> String {
    let pem = std::fs::read(file).unwrap();
    pem.iter().map(|byte| format!("%{byte:02X}")).collect()
}
