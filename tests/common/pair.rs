//! Two tenants of one host: A, who does harm, and B, who is asked 200 times a second meanwhile.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::tenants::{ready, until};
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

/// What became of an attack, by kind of answer.
pub type Answers = BTreeMap<String, usize>;

/// How long attacks last that have no other measure. `BOLT_ATTACK_SECONDS` says otherwise.
pub fn attack_time() -> Duration {
    Duration::from_secs(std::env::var("BOLT_ATTACK_SECONDS").map_or(2, |seconds| seconds.parse().unwrap()))
}

/// An app of `tests/tenant`, built.
pub fn component(name: &str) -> PathBuf {
    let wasm = scratch("neighbour").join(format!("{name}.wasm"));
    let source = root().join("tests/tenant").join(format!("{name}.py"));
    run(Command::new(BINARY).arg("build").arg(&source).arg("-o").arg(&wasm));
    wasm
}

/// Whoever attacks has a machine of his own in life. Here he has what the host and B leave of this one.
pub fn give_way() {
    let _ = rustix::process::setpriority_process(None, 19);
}

/// What the two are given besides.
#[derive(Default)]
pub struct Terms<'t> {
    /// Lines of `[server]`.
    pub server: &'t str,
    /// Tables of A and of B.
    pub a: &'t str,
    pub b: &'t str,
    /// Environment of the host.
    pub env: &'t [(&'t str, &'t str)],
}

/// Bytes that an allocator may have more or less of.
const SLACK: u64 = 2 << 20;

pub struct Pair {
    pub server: Server,
    /// What the host had when the report began.
    before: Mutex<Option<Holdings>>,
}

#[derive(Debug, Clone, Copy)]
struct Holdings {
    /// Bytes.
    memory: u64,
    files: usize,
}

impl Pair {
    /// A is `/a`, with limits as one would give them to a stranger; B is `/b`.
    pub fn new(terms: &Terms<'_>) -> Self {
        let file = scratch("neighbours").join("host.toml");
        fs::write(&file, host_file(terms, &component("hostile"), &component("shop"))).unwrap();
        let mut command =
            Command::new(std::env::var("BOLT_HOST_BINARY").unwrap_or_else(|_| BINARY.to_owned()));
        command.arg("serve").arg(&file).args(["--log-format", "json"]);
        command.envs(terms.env.iter().copied());
        let server = Server::spawn(command);
        ready(&server);
        let pair = Self { server, before: Mutex::default() };
        pair.is_whole("start");
        pair
    }

    pub fn memory(&self) -> u64 {
        private_memory(self.server.child.id())
    }

    /// What the host has when nobody has needed either app for a while, so that their instances have ended: what these hold
    /// while they live depends on which of them answered last. The rest is given back to the system a little later.
    fn at_rest(&self, is_enough: impl Fn(Holdings) -> bool) -> Holdings {
        until(|| {
            let apps = Connection::to(self.server.admin()).get("/apps").json();
            apps["apps"].as_array().unwrap().iter().all(|app| app["loaded"] == false)
        });
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

    /// Since the report began, nothing has grown by more than 5 %, and what the allocator takes at a time, and two files.
    fn assert_as_before(&self, name: &str) -> Option<Holdings> {
        let before = (*self.before.lock().unwrap())?;
        let most = Holdings { memory: before.memory / 100 * 105 + SLACK, files: before.files + 2 };
        let is_as_before = |now: Holdings| now.memory <= most.memory && now.files <= most.files;
        let now = self.at_rest(is_as_before);
        assert!(is_as_before(now), "{name}: {before:?} → {now:?}, at most {most:?}");
        Some(now)
    }

    fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.server.child.id())).unwrap().count()
    }

    /// B is asked while `harm` is done; afterwards all is as it was.
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
        let Some(Holdings { memory, files }) = self.assert_as_before(name) else { return };
        let memory = memory as f64 / f64::from(1 << 20);
        println!("| {name} | {became} | {asked} | 0 | {median:.1} | {late:.1} | {memory:.1} | {files} |");
    }

    /// What there is now, at rest, is what there was before the attacks that follow: each is a row of a table.
    pub fn begin_report(&self) {
        let start = Instant::now();
        let before = self.at_rest(|_| start.elapsed() > Duration::from_secs(8));
        println!("\n{before:?}\n");
        println!(
            "| A | what became of it | answers to B | errors of B | B p50 ms | B p99 ms | MiB at rest | open files |"
        );
        println!("|---|---|---:|---:|---:|---:|---:|---:|");
        *self.before.lock().unwrap() = Some(before);
    }

    /// A can be served again, nothing is in flight, and nobody panicked.
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
                start.elapsed() < Duration::from_secs(30),
                "{name}: A is answered {}, {in_flight} in flight, {transit} bytes on their way",
                probe.status
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        self.server.assert_no_panic(name);
    }

    /// `clients` of A, each asking for `path` again and again until that is `enough`; how often each status came.
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
memory = "48MiB"
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

/// Ask B 200 times a second until `done`; the times of its answers.
fn paced(address: SocketAddr, path: &str, done: &AtomicBool) -> Vec<Duration> {
    // Nor does B's client share a machine with the host in life. Not every system lets a thread go before others.
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

/// `part`: in thousandths. In milliseconds.
fn percentile(times: &mut [Duration], part: usize) -> f64 {
    times.sort();
    times[(times.len() - 1) * part / 1000].as_secs_f64() * 1e3
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
