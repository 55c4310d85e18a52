//! While one tenant does all the harm it can, another one is served as before, by the same process, and nothing of it is
//! left afterwards. With `--nocapture` a table is printed: what became of A's requests, and how long B's took.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{BINARY, Connection, Server, private_memory, root, run, scratch};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long each attack lasts. `BOLT_ATTACK_SECONDS` says otherwise.
fn attack_time() -> Duration {
    Duration::from_secs(std::env::var("BOLT_ATTACK_SECONDS").map_or(2, |seconds| seconds.parse().unwrap()))
}

fn component(name: &str) -> PathBuf {
    let wasm = scratch("neighbour").join(format!("{name}.wasm"));
    let source = root().join("tests/tenant").join(format!("{name}.py"));
    run(Command::new(BINARY).arg("build").arg(&source).arg("-o").arg(&wasm));
    wasm
}

struct Pair {
    server: Server,
    a: String,
    b: String,
    report: Mutex<String>,
}

/// A is `/a`, with limits as one would give them to a stranger; B is `/b`.
fn pair() -> Pair {
    let file = scratch("neighbours").join("host.toml");
    let (hostile, shop) = (component("hostile"), component("shop"));
    let text = format!(
        r#"
[server]
listen = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
workers = 2
header-timeout = "2s"
[app.a]
source = "{}"
prefix = "/a"
[app.a.limits]
deadline = "700ms"
grace = "100ms"
memory = "48MiB"
instances = 3
concurrency = 60
queue = 40
log-rate = "64KiB"
[app.b]
source = "{}"
prefix = "/b"
"#,
        hostile.display(),
        shop.display()
    );
    fs::write(&file, text).unwrap();
    let mut command = Command::new(std::env::var("BOLT_HOST_BINARY").unwrap_or_else(|_| BINARY.to_owned()));
    command.arg("serve").arg(&file).args(["--log-format", "json"]);
    let server = Server::spawn(command);
    while Connection::to(server.admin()).get("/readyz").status != 200 {
        std::thread::sleep(Duration::from_millis(50));
    }
    Pair { server, a: "/a".into(), b: "/b/version".into(), report: Mutex::default() }
}

/// Ask B 200 times a second until `done`; the times of its answers.
fn paced(address: SocketAddr, path: &str, done: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut connection = Connection::to(address);
    let start = Instant::now();
    for number in 1.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let asked = Instant::now();
        let answer = connection.get(path);
        times.push(asked.elapsed());
        assert_eq!(answer.status, 200, "B was answered {}", answer.text());
        let next = start + Duration::from_millis(5) * number;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    times
}

fn percentile(times: &mut [Duration], part: usize) -> f64 {
    times.sort();
    times[(times.len() - 1) * part / 100].as_secs_f64() * 1e3
}

fn files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

impl Pair {
    /// B is asked while `harm` is done; afterwards all is as it was.
    fn attack(&self, name: &str, harm: impl FnOnce(&Self) -> BTreeMap<String, usize>) {
        let done = AtomicBool::new(false);
        let (became, mut times) = std::thread::scope(|scope| {
            let asking = scope.spawn(|| paced(self.server.address, &self.b, &done));
            let became = harm(self);
            done.store(true, Ordering::Relaxed);
            (became, asking.join().unwrap_or_else(|_| panic!("{name}: B was not served")))
        });
        self.is_whole(name);
        let memory = private_memory(self.server.child.id()) >> 20;
        let (median, late) = (percentile(&mut times, 50), percentile(&mut times, 99));
        writeln!(
            self.report.lock().unwrap(),
            "| {name} | {became:?} | {} | {median:.1} | {late:.1} | {memory} |",
            times.len()
        )
        .unwrap();
    }

    /// A can be served again, nothing is in flight, and nobody panicked.
    fn is_whole(&self, name: &str) {
        let start = Instant::now();
        loop {
            let probe = self.server.connect().get(&format!("{}/probe", self.a));
            let in_flight = self.server.metric("bolt_requests_in_flight");
            if probe.status == 200 && in_flight == 0.0 {
                break;
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{name}: A is answered {} {in_flight}",
                probe.status
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{name}: {log}");
    }

    /// `clients` of A, each asking for `path` again and again; how often each status came.
    fn flood(&self, path: &str, clients: usize, time: Duration) -> BTreeMap<String, usize> {
        let counts = Mutex::new(BTreeMap::<String, usize>::new());
        let until = Instant::now() + time;
        std::thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    while Instant::now() < until {
                        let status = status_of(self.server.address, &format!("{}{path}", self.a));
                        *counts.lock().unwrap().entry(status).or_default() += 1;
                    }
                });
            }
        });
        counts.into_inner().unwrap()
    }
}

/// The status of an answer, however it is framed; "cut" when there is none.
fn status_of(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let status = answer.get(9..12).map(|status| String::from_utf8_lossy(status).into_owned());
    status.unwrap_or_else(|| "cut".to_owned())
}

const ATTACKS: [(&str, &str, usize); 17] = [
    ("nothing, as a baseline", "/probe", 1),
    ("busy loop in def, 100 at once", "/spin", 100),
    ("busy loop in async def, 100 at once", "/spin-async", 100),
    ("regex backtracking", "/backtracking", 20),
    ("memory bomb", "/bomb", 8),
    ("deep recursion", "/recursion", 8),
    ("a million tasks", "/tasks", 4),
    ("sleeping for ever, 200 at once", "/sleep", 200),
    ("time.sleep, 100 at once", "/slow", 100),
    ("endless prints", "/prints", 8),
    ("a huge header", "/head/huge", 4),
    ("40 000 headers", "/head/many", 4),
    ("CR/LF in a header", "/head/split", 8),
    ("a reply of 30 MB", "/body/huge", 4),
    ("a reply that unfolds to a terabyte", "/body/tree", 4),
    ("traps", "/trap", 8),
    ("a flood of requests", "/probe", 100),
];

#[test]
fn a_hostile_tenant_harms_nobody_else() {
    let pair = pair();
    pair.is_whole("start");
    let pid = pair.server.child.id();
    // Everything has been used once: the pool's memory, the logs, the connections of both. What an ended instance wrote to
    // is kept for the next one.
    for (name, path, clients) in ATTACKS {
        pair.attack(name, |pair| pair.flood(path, clients, Duration::from_millis(300)));
    }
    pair.attack("clients that reset", resets);
    pair.report.lock().unwrap().clear();
    let (memory, open) = (private_memory(pid), files(pid));
    for (name, path, clients) in ATTACKS {
        pair.attack(name, |pair| pair.flood(path, clients, attack_time()));
    }
    pair.attack("clients that reset", resets);
    pair.attack("clients that send slowly", slow_clients);
    pair.attack("garbage", garbage);
    // Idle connections of the load end by themselves.
    std::thread::sleep(Duration::from_secs(3));
    let (memory_after, open_after) = (private_memory(pid), files(pid));
    println!("\n| A | answers to A | answers to B | B p50 ms | B p99 ms | private MiB after |");
    println!("|---|---|---:|---:|---:|---:|\n{}", pair.report.lock().unwrap());
    println!("memory {memory} → {memory_after}, open files {open} → {open_after}");
    assert!(open_after <= open + 2, "open files: {open} → {open_after}");
    assert!(memory_after as f64 <= memory as f64 * 1.05 + 8e6, "memory: {memory} → {memory_after}");
    assert_eq!(strange_lines(&pair), Vec::<String>::new());
}

/// The log holds what it may, and nothing that looks like the host's own lines.
fn strange_lines(pair: &Pair) -> Vec<String> {
    let log = pair.server.log();
    assert!(log.contains("left out of the log"), "the prints were not bounded");
    log.lines().filter(|line| !line.starts_with('{') || line.contains('\x1b')).map(str::to_owned).collect()
}

fn resets(pair: &Pair) -> BTreeMap<String, usize> {
    let until = Instant::now() + attack_time();
    let mut count = 0;
    while Instant::now() < until {
        let mut stream = TcpStream::connect(pair.server.address).unwrap();
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        let head =
            format!("POST {}/spin HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n", pair.a);
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&[b'x'; 1000]);
        count += 1;
    }
    BTreeMap::from([("reset".to_owned(), count)])
}

fn slow_clients(pair: &Pair) -> BTreeMap<String, usize> {
    let mut streams: Vec<_> = (0..300).map(|_| TcpStream::connect(pair.server.address).unwrap()).collect();
    let until = Instant::now() + attack_time();
    let bytes =
        format!("GET {}/probe HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", pair.a, "y".repeat(10_000));
    for byte in bytes.bytes() {
        if Instant::now() > until {
            break;
        }
        for stream in &mut streams {
            let _ = stream.write_all(&[byte]);
        }
    }
    BTreeMap::from([("connections".to_owned(), streams.len())])
}

fn garbage(pair: &Pair) -> BTreeMap<String, usize> {
    let until = Instant::now() + attack_time();
    let mut count = 0;
    let mut state = 1u32;
    while Instant::now() < until {
        let mut stream = TcpStream::connect(pair.server.address).unwrap();
        let mut bytes = match count % 3 {
            0 => format!("GET {}/probe HTTP/1.1\r\nhost: localhost\r\n\r\n", pair.a).into_bytes(),
            1 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            _ => Vec::new(),
        };
        for _ in 0..2000 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            bytes.push(state as u8);
        }
        let _ = stream.write_all(&bytes);
        count += 1;
    }
    BTreeMap::from([("connections".to_owned(), count)])
}

#[test]
fn a_hostile_tenant_finds_nothing_outside() {
    let pair = pair();
    let found = pair.server.connect().get("/a/probe").json();
    for (way, found) in found.as_object().unwrap() {
        let found = found.as_str().unwrap();
        let is_nothing = match &**way {
            "environment" => found == "environ({})" || found == "{}",
            "arguments" => found == "[]" || found == "['']",
            "root" => found.is_empty() || found == "[]",
            _ => found.is_empty(),
        };
        assert!(is_nothing, "{way}: {found}");
    }
    let port = pair.server.admin().port();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "169.254.169.254",
        "0",
    ] {
        let answer = pair.server.connect().get(&format!("/a/reach?url=http://{host}:{port}/metrics"));
        assert!(answer.text().starts_with("\"refused: "), "{host}: {}", answer.text());
    }
}
