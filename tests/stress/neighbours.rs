//! While one tenant does all the harm it can, the same process serves another one as before, and nothing is left of it
//! afterwards. `--nocapture` prints a table: the outcome of A's requests, and how long B's took.

use crate::common::pair::{Answers, Pair, Terms, attack_count, attack_time};
use crate::common::{scratch, shim};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// The amount of an attack. Of what is counted, [`attack_count`] says how much.
enum Amount {
    /// As much as possible in [`attack_time`].
    Time,
    Answers(usize),
    /// Megabytes that A prints, as the host counts them.
    Printed(usize),
}

use Amount::{Answers as Count, Printed, Time};

const ATTACKS: [(&str, &str, usize, Amount); 18] = [
    ("nothing: some requests of A, as a baseline", "/probe", 1, Time),
    ("busy loop in def, 100 at once", "/spin", 100, Time),
    ("busy loop in async def, 100 at once", "/spin-async", 100, Time),
    ("regex backtracking", "/backtracking", 20, Time),
    ("memory bombs", "/bomb", 8, Count(1000)),
    ("deep recursion", "/recursion", 8, Time),
    ("a million tasks", "/tasks", 4, Time),
    ("sleeping for ever, 200 at once", "/sleep", 200, Time),
    ("time.sleep, 100 at once", "/slow", 100, Time),
    ("gigabytes of prints", "/prints", 8, Printed(10_000)),
    ("a huge header", "/head/huge", 4, Time),
    ("40 000 headers", "/head/many", 4, Time),
    ("CR/LF in a header", "/head/split", 8, Time),
    ("a response of 2 GB", "/body/two-gigabytes", 4, Time),
    ("a response of 2 MB", "/body/large", 8, Time),
    ("a response that unfolds to a terabyte", "/body/tree", 4, Time),
    ("traps", "/trap", 8, Count(10_000)),
    ("a flood of requests", "/probe", 100, Time),
];

fn printed(pair: &Pair) -> f64 {
    pair.server.metric("bolt_log_bytes_total{app=\"a\"")
}

fn harm(pair: &Pair, path: &str, clients: usize, amount: &Amount) -> Answers {
    match *amount {
        Time => pair.flood_for(path, clients, attack_time()),
        Count(wanted) => pair.flood(path, clients, |answers| answers >= attack_count(wanted)),
        Printed(megabytes) => {
            // The metrics leave out an app that is not loaded.
            pair.server.connect().get("/a/probe");
            let enough = printed(pair) + attack_count(megabytes) as f64 * 1e6;
            pair.flood(path, clients, |_| printed(pair) >= enough)
        }
    }
}

#[test]
fn a_hostile_tenant_harms_nobody_else() {
    let pair = Pair::new(&Terms::default());
    // Warm up everything: the pool's memory, the logs, the connections of both. After two rounds the host had 23.6 MiB
    // at rest, and after four 25 to 26, as in the following ones.
    for (name, path, clients, _) in [&ATTACKS; 5].into_iter().flatten() {
        pair.attack(name, |pair| pair.flood_for(path, *clients, Duration::from_millis(300)));
    }
    pair.report(|pair| {
        for (name, path, clients, amount) in &ATTACKS {
            pair.attack(name, |pair| harm(pair, path, *clients, amount));
        }
    });
    assert_eq!(strange_lines(&pair), Vec::<String>::new());
}

/// Check that the log is bounded; returns lines that a guest could have forged.
fn strange_lines(pair: &Pair) -> Vec<String> {
    let log = pair.server.log();
    assert!(log.contains("left out of the log"), "the prints were not bounded");
    assert!(log.len() < 64 << 20, "{} bytes of log", log.len());
    log.lines().filter(|line| !line.starts_with('{') || line.contains('\x1b')).map(str::to_owned).collect()
}

#[test]
fn a_hostile_tenant_finds_nothing_outside() {
    let (own, secret) = (scratch("own"), scratch("secret"));
    fs::write(secret.join("secret.txt"), "the secret of B").unwrap();
    // An operator's mistake: a symlink that leads to the other tenant's folder.
    std::os::unix::fs::symlink(&secret, own.join("shared")).unwrap();
    let table = |name: &str, folder: &std::path::Path| {
        format!("[app.{name}.files]\n\"/data\" = {{ path = \"{}\", write = true }}", folder.display())
    };
    let (a, b) = (table("a", &own), table("b", &secret) + "\n[app.b.env]\nSECRET = \"the secret of B\"");
    let pair = Pair::new(&Terms { a: &a, b: &b, ..Terms::default() });
    let written = pair.server.post("/b/write?name=/data/other.txt&text=the+secret+of+B", "");
    assert_eq!(written.status, 200, "{}", written.text());

    let found = pair.server.connect().get("/a/probe").json();
    for (way, found) in found.as_object().unwrap() {
        let found = found.as_str().unwrap();
        let is_nothing = match &**way {
            "environment" => found == "environ({})" || found == "{}",
            "arguments" => found == "[]" || found == "['']",
            "root" => found.is_empty() || found == "[]" || found == "['data']",
            _ => found.is_empty(),
        };
        assert!(is_nothing, "{way}: {found}");
    }
    let ways = ["shared/secret.txt", "../secret.txt", "link/secret.txt", "shared/../secret.txt", "hard"];
    for (way, route) in ways.iter().flat_map(|way| [(way, "steal"), (way, "send")]) {
        let place = secret.display();
        let answer = pair.server.get(&format!("/a/{route}?name=/data/{way}&place={place}"));
        assert!(!answer.text().contains("the secret"), "{route} {way}: {}", answer.text());
        assert!(matches!(answer.status, 200 | 404 | 500), "{route} {way}: {}", answer.status);
    }
    for path in
        ["/a/../b/environment", "/a/%2e%2e/b/environment", "/a//b/environment", "/a/..%2fb/environment"]
    {
        let answer = pair.server.get(path);
        assert!(!answer.text().contains("the secret"), "{path}: {}", answer.text());
    }
}

#[test]
fn a_hostile_tenant_reaches_nobody_inside() {
    let pair = Pair::new(&Terms::default());
    let port = pair.server.admin().port();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
        "169.254.169.254",
        "0",
    ] {
        let answer = pair.server.connect().get(&format!("/a/reach?url=http://{host}:{port}/metrics"));
        assert!(answer.text().starts_with("\"refused: "), "{host}: {}", answer.text());
    }
}

/// Answer every request on `listener` with `answer`.
fn says(listener: TcpListener, answer: String) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}

fn ok(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}", text.len())
}

/// Servers that A may reach lead it to where it may not go: by a redirect, and by a name that changes its address after
/// the lookup.
#[test]
fn neither_redirects_nor_names_lead_inside() {
    let outside = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = outside.local_addr().unwrap().port();
    let inside = TcpListener::bind(("127.0.0.1", port)).unwrap();
    says(outside, ok("outside"));
    says(inside, ok("inside"));
    let leading = TcpListener::bind("127.0.0.2:0").unwrap();
    let door = leading.local_addr().unwrap().port();
    let elsewhere = format!("location: http://127.0.0.1:{port}/\r\n");
    says(leading, format!("HTTP/1.1 302 Found\r\nconnection: close\r\n{elsewhere}content-length: 0\r\n\r\n"));

    let allowed = format!(
        "[app.a.http]\nallow = [\"127.0.0.2:{port}\", \"127.0.0.2:{door}\", \"turning.example:{port}\"]"
    );
    let turning = [("LD_PRELOAD", shim()), ("BOLT_TURNING", "127.0.0.2 127.0.0.1".to_owned())];
    let env: Vec<_> = turning.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pair = Pair::new(&Terms { a: &allowed, env: &env, ..Terms::default() });
    let reach = |url: String| pair.server.get(&format!("/a/reach?url={url}")).text().to_owned();
    assert_eq!(reach(format!("http://127.0.0.2:{port}/")), "\"outside\"");
    let redirected = reach(format!("http://127.0.0.2:{door}/"));
    assert!(redirected.starts_with("\"refused: "), "{redirected}");
    // The name resolves to the other address every other time.
    let answers: Vec<_> = (0..10).map(|_| reach(format!("http://turning.example:{port}/"))).collect();
    let (outside, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| *answer == "\"outside\"");
    assert_eq!((outside.len(), refused.len()), (5, 5), "{answers:?}");
    assert!(refused.iter().all(|answer| answer.starts_with("\"refused: ")), "{refused:?}");
}
