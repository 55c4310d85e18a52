//! Two tenants of one host: A attacks, while B gets 200 requests a second.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::tenants::{ready, until_within};
use super::{BINARY, Connection, Server, private_memory, root, run, scratch};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The outcome of an attack: counts by kind of response.
pub type Answers = BTreeMap<String, usize>;

/// `BOLT_ATTACK_SECONDS`. If it is set, attacks that are counted come in full number, and what is left is looked at after each attack.
fn thorough() -> Option<u64> {
    std::env::var("BOLT_ATTACK_SECONDS").ok().map(|seconds| seconds.parse().unwrap())
}

/// How long attacks without another limit last.
pub fn attack_time() -> Duration {
    Duration::from_secs(thorough().unwrap_or(2))
}

/// How many there are of attacks that are counted.
pub fn attack_count(thoroughly: usize) -> usize {
    if thorough().is_some() { thoroughly } else { thoroughly / 5 }
}

/// Build an app of `tests/tenant`.
pub fn component(name: &str) -> PathBuf {
    let wasm = scratch("neighbour").join(format!("{name}.wasm"));
    let source = root().join("tests/tenant").join(format!("{name}.py"));
    run(Command::new(BINARY).arg("build").arg(&source).arg("-o").arg(&wasm));
    wasm
}

/// Real attackers have machines of their own. Here they only get the time that the host and B leave.
pub fn give_way() {
    let _ = rustix::process::setpriority_process(None, 19);
}

/// Additions to the host file and the environment.
#[derive(Default)]
pub struct Terms<'t> {
    /// Lines of `[server]`.
    pub server: &'t str,
    /// The app of `tests/tenant` that is A; the hostile one if this is empty.
    pub app: &'t str,
    /// Tables of A and B.
    pub a: &'t str,
    pub b: &'t str,
    /// Environment of the host.
    pub env: &'t [(&'t str, &'t str)],
    /// Memory that the allocator may keep beyond the usual tolerance, in bytes.
    pub slack: u64,
}

/// Tolerance for the allocator, in bytes.
const SLACK: u64 = 2 << 20;

pub struct Pair {
    pub server: Server,
    /// Attacks are rows of a report.
    is_reporting: AtomicBool,
    slack: u64,
}

/// Rounds of attacks, each of which may leave more than the one before. Caches fill up, a leak grows for ever.
const ROUNDS: usize = 3;

#[derive(Debug, Clone, Copy)]
struct Holdings {
    /// Bytes.
    memory: u64,
    files: usize,
}

impl Pair {
    /// A is at `/a`, with limits for an untrusted app; B is at `/b`.
    pub fn new(terms: &Terms<'_>) -> Self {
        let file = scratch("neighbours").join("host.toml");
        let app = if terms.app.is_empty() { "hostile" } else { terms.app };
        fs::write(&file, host_file(terms, &component(app), &component("shop"))).unwrap();
        let mut command =
            Command::new(std::env::var("BOLT_HOST_BINARY").unwrap_or_else(|_| BINARY.to_owned()));
        command.arg("serve").arg(&file).args(["--log-format", "json"]);
        command.envs(terms.env.iter().copied());
        let server = Server::spawn(command);
        ready(&server);
        let pair = Self { server, is_reporting: AtomicBool::default(), slack: SLACK + terms.slack };
        pair.is_whole("start");
        pair
    }

    pub fn memory(&self) -> u64 {
        private_memory(self.server.child.id())
    }

    /// What the host uses once both apps are evicted: the memory of live instances depends on which of them answered
    /// last. The host returns the rest to the system a little later.
    fn at_rest(&self, is_enough: impl Fn(Holdings) -> bool) -> Holdings {
        let apps = || Connection::to(self.server.admin()).get("/apps").json();
        until_within(
            Duration::from_secs(60),
            || apps()["apps"].as_array().unwrap().iter().all(|app| app["loaded"] == false),
            || format!("an app that nobody uses is not evicted: {:#}\n{}", apps(), self.counted()),
        );
        std::thread::sleep(Duration::from_secs(2));
        let start = Instant::now();
        loop {
            let now = Holdings { memory: self.memory(), files: self.open_files() };
            if is_enough(now) || start.elapsed() > Duration::from_secs(8) {
                return now;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The metrics that are not zero, which may say what holds something.
    fn counted(&self) -> String {
        let metrics = Connection::to(self.server.admin()).get("/metrics");
        let of_use = |line: &&str| !line.starts_with('#') && !line.ends_with(" 0");
        metrics.text().lines().filter(of_use).collect::<Vec<_>>().join("\n")
    }

    fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.server.child.id())).unwrap().count()
    }

    /// Send requests to B while `harm` runs, and then assert that A can be served again and nothing is in flight.
    pub fn attack(&self, name: &str, harm: impl FnOnce(&Self) -> Answers + Send) {
        let done = AtomicBool::new(false);
        let (became, mut times) = std::thread::scope(|scope| {
            let asking = scope.spawn(|| paced(self.server.address, "/b/version", &done));
            let harming = scope.spawn(|| {
                give_way();
                harm(self)
            });
            let became = harming.join();
            done.store(true, Ordering::Relaxed);
            let times = asking.join().unwrap_or_else(|_| panic!("{name}: B was not served"));
            (became.unwrap_or_else(|_| panic!("{name}: A could not do it")), times)
        });
        self.is_whole(name);
        let became: Vec<_> = became.iter().map(|(what, count)| format!("{count} x {what}")).collect();
        let (median, late) = (percentile(&mut times, 500), percentile(&mut times, 990));
        let (became, asked) = (became.join(", "), times.len());
        if !self.is_reporting.load(Ordering::Relaxed) {
            return;
        }
        // Until a host is at rest takes twice as long as an attack.
        let left = thorough().map(|_| self.at_rest(|_| true));
        let left = left.map_or("| |".to_owned(), |Holdings { memory, files }| {
            format!("| {:.1} | {files} |", memory as f64 / f64::from(1 << 20))
        });
        println!("| {name} | {became} | {asked} | 0 | {median:.1} | {late:.1} {left}");
    }

    /// Attack, and assert that afterwards the host has at most 5 % more memory plus the tolerance, and two more open files, than it
    /// had before at rest. Prints a table with a row for each attack.
    pub fn report(&self, attacks: impl Fn(&Self)) {
        self.is_reporting.store(true, Ordering::Relaxed);
        let start = Instant::now();
        let mut before = self.at_rest(|_| start.elapsed() > Duration::from_secs(8));
        for _ in 0..ROUNDS {
            println!("\nat rest: {before:?}\n");
            println!(
                "| A | what became of it | answers to B | errors of B | B p50 ms | B p99 ms | MiB at rest | open files |"
            );
            println!("|---|---|---:|---:|---:|---:|---:|---:|");
            attacks(self);
            let most = Holdings { memory: before.memory / 100 * 105 + self.slack, files: before.files + 2 };
            let is_as_before = |now: Holdings| now.memory <= most.memory && now.files <= most.files;
            let now = self.at_rest(is_as_before);
            println!("\nat rest afterwards: {now:?}, at most {most:?}\n");
            if is_as_before(now) {
                return;
            }
            before = now;
        }
        panic!("each of {ROUNDS} rounds of attacks leaves more:\n{}", self.counted());
    }

    /// Assert that A can be served again, nothing is in flight, and no thread panicked.
    pub fn is_whole(&self, name: &str) {
        let start = Instant::now();
        loop {
            let probe = self.server.connect().get("/a/probe");
            let in_flight = self.server.metric("bolt_requests_in_flight");
            let transit = self.server.metric("bolt_transit_bytes");
            if probe.status == 200 && in_flight == 0.0 && transit == 0.0 {
                break;
            }
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "{name}: A is answered {}, {in_flight} in flight, {transit} bytes on their way",
                probe.status
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        self.server.assert_no_panic(name);
    }

    /// Let `clients` of A request `path` in a loop until `enough`; returns how often each status came.
    pub fn flood(&self, path: &str, clients: usize, enough: impl Fn(usize) -> bool + Sync) -> Answers {
        let counts = Mutex::new(Answers::new());
        std::thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    give_way();
                    loop {
                        let answers = counts.lock().unwrap().values().sum();
                        if enough(answers) {
                            break;
                        }
                        let status = status_of(self.server.address, &format!("/a{path}"));
                        *counts.lock().unwrap().entry(status).or_default() += 1;
                    }
                });
            }
        });
        counts.into_inner().unwrap()
    }

    pub fn flood_for(&self, path: &str, clients: usize, time: Duration) -> Answers {
        let until = Instant::now() + time;
        self.flood(path, clients, |_| Instant::now() > until)
    }
}

fn host_file(terms: &Terms<'_>, hostile: &Path, shop: &Path) -> String {
    let Terms { server, a, b, .. } = terms;
    format!(
        r#"
[server]
listen = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
workers = 2
idle = "2s"
{server}
[app.a]
source = "{}"
prefix = "/a"
[app.a.limits]
deadline = "700ms"
grace = "100ms"
memory = "52MiB"
instances = 3
concurrency = 60
queue = 40
log-rate = "64KiB"
transit = "64MiB"
{a}
[app.b]
source = "{}"
prefix = "/b"
{b}
"#,
        hostile.display(),
        shop.display()
    )
}

/// Send B 200 requests a second until `done`; returns the response times.
fn paced(address: SocketAddr, path: &str, done: &AtomicBool) -> Vec<Duration> {
    // B's client would not share a machine with the host either. Not every system allows a higher priority.
    let _ = rustix::process::setpriority_process(None, -15);
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

/// `part` is in thousandths; returns milliseconds.
fn percentile(times: &mut [Duration], part: usize) -> f64 {
    times.sort();
    times[(times.len() - 1) * part / 1000].as_secs_f64() * 1e3
}

/// The status of a response, however it is framed; "cut" if there is none.
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
