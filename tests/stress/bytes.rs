//! Bytes, descriptors, disk and log: an app takes of each as if it were free, and gets its share.

use crate::common::pair::{Answers, Pair, Terms, attack_time, component};
use crate::common::tenants::{host_file, ready, until};
use crate::common::{BINARY, Response, Server, private_memory, run, scratch, shim};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// WASI's numbers for an exceeded quota and a full disk, and what its C library makes of any error of a stream.
const QUOTA: u64 = 19;
const NO_SPACE: u64 = 51;
const IO: u64 = 29;

/// A server that accepts everything, and does `then` with each connection.
fn upstream(then: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let then = std::sync::Arc::new(then);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let then = then.clone();
            thread::spawn(move || then(stream));
        }
    });
    address
}

/// Neither reads nor answers.
fn mute() -> SocketAddr {
    upstream(|stream| {
        thread::sleep(Duration::from_secs(3600));
        drop(stream);
    })
}

/// Answers without an end.
fn endless() -> SocketAddr {
    upstream(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n";
        let _ = stream.write_all(head);
        while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
    })
}

/// Announces an answer again and again, and never gives it.
fn announcing() -> SocketAddr {
    upstream(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let heads = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(1000);
        while stream.write_all(heads.as_bytes()).is_ok() {}
    })
}

/// A host file with the greedy app at `/a`, given one instance, and a neighbour at `/b`.
/// One worker with one instance of A: what a request leaves behind, the next one finds.
fn terms(limits: &str, tables: &str) -> PathBuf {
    let file = host_file(&format!(
        "[app.a]\nsource = \"{}\"\nprefix = \"/a\"\n[app.a.limits]\ninstances = 1\ndeadline = \"100s\"\n{limits}\n{tables}\n\
         [app.b]\nsource = \"{}\"\nprefix = \"/b\"\n",
        component("greedy").display(),
        component("shop").display()
    ));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("workers = 2", "workers = 1")).unwrap();
    file
}

fn greedy(limits: &str, tables: &str) -> Server {
    let server = Server::host(&terms(limits, tables));
    ready(&server);
    server
}

/// The value that A answers with.
fn asked(server: &Server, path: &str) -> serde_json::Value {
    let answer = server.get(&format!("/a{path}"));
    assert_eq!(answer.status, 200, "{path}: {}\n{}", answer.text(), server.log());
    answer.json()
}

fn numbers(value: &serde_json::Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

/// By how much the host's memory grew at most while `work` ran.
fn growth<T>(pid: u32, work: impl FnOnce() -> T) -> (u64, T) {
    let (before, done) = (private_memory(pid), AtomicBool::new(false));
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = before;
            while !done.load(Ordering::Relaxed) {
                most = most.max(private_memory(pid));
                thread::sleep(Duration::from_millis(2));
            }
            most - before
        });
        let outcome = work();
        done.store(true, Ordering::Relaxed);
        (watching.join().unwrap(), outcome)
    })
}

fn sockets(server: &Server) -> usize {
    let entries = fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap();
    let targets = entries.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

fn open_files(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count()
}

/// One instance offers 800 MB: the host holds what its budget allows, and the copies of the instance itself.
#[test]
fn bodies_of_outbound_requests_are_bounded_in_bytes() {
    let (mute, endless) = (mute(), endless());
    let allow = format!("[app.a.http]\nallow = [\"{mute}\", \"{endless}\"]");
    let server = greedy("transit = \"64MiB\"\nmemory = \"64MiB\"", &allow);
    let pid = server.child.id();
    let before = sockets(&server);
    // Its instance, the budget and half of that for windows, and a copy of the last part.
    let most = (64 + 64 + 32 + 2 * 8 + 16) * MIB;
    for whole in [false, true] {
        let path = format!("/hoard?url=http://{mute}/&exchanges=100&mb=8&whole={whole}");
        let (grown, answer) = growth(pid, || asked(&server, &path));
        assert!(grown < most, "{} MiB", grown / MIB);
        let [begun, taken] = numbers(&answer)[..] else { panic!("{answer}") };
        assert_eq!(begun, 100);
        assert!(whole || (1..=8).contains(&taken), "{taken} chunks of 8 MiB were taken");
        // The connections end with their exchanges, although the server reads nothing.
        until(|| sockets(&server) <= before);
    }
    let (grown, answered) =
        growth(pid, || asked(&server, &format!("/unread?url=http://{endless}/&exchanges=600&ms=2000")));
    let answered = answered.as_u64().unwrap();
    assert!((1..=257).contains(&answered), "{answered}");
    assert!(grown < most, "{} MiB", grown / MIB);
    server.assert_no_panic("bodies");
}

#[test]
fn nothing_is_kept_of_refused_exchanges_and_of_their_texts() {
    let server = greedy("exchanges = 100", "");
    let pid = server.child.id();
    let told = asked(&server, "/long?mb=8");
    let told = told.as_str().unwrap();
    assert!(told.contains("invalid") && told.len() < 1000, "{told}");
    let text = "%E2%80%AE".repeat(100);
    let (grown, kept) = growth(pid, || asked(&server, &format!("/refused?count=100000&text={text}")));
    assert_eq!(kept, 100);
    assert!(grown < 32 * MIB, "{} MiB", grown / MIB);
    // The instance ends at the second of two parks at a time, and the next one serves.
    assert!(server.get("/a/parks?count=20000").status >= 500);
    server.log_with("parks twice");
    assert_eq!(asked(&server, "/probe"), "here");
    assert_eq!(asked(&server, "/sockets?count=100"), 0);
}

/// The host may open 400 files. A has its share of them, however it asks; clients have theirs, and the listener goes on.
#[test]
fn open_files_have_shares() {
    let (data, mute) = (scratch("data"), mute());
    fs::write(data.join("file"), "content").unwrap();
    let tables = format!(
        "[app.a.files]\n\"/data\" = {{ path = \"{}\" }}\n[app.a.http]\nallow = [\"{mute}\"]",
        data.display()
    );
    let file = terms("", &tables);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 400; exec \"$0\" \"$@\"", BINARY, "serve"]).arg(file);
    let server = Server::spawn(command);
    ready(&server);
    let open = || open_files(&server);
    let before = open();
    let [opened, refused] = numbers(&asked(&server, "/open?name=/data/file&count=1000"))[..] else {
        panic!()
    };
    assert_eq!(refused, QUOTA);
    assert!((50..150).contains(&opened), "{opened} files were opened");
    assert!(open() <= before + 150, "{before} -> {}", open());
    server.log_with("was refused a file (open-files in [app.NAME.limits])");
    // More clients than the host has files for. Those that have no place wait, also for the neighbour.
    let waiting: Vec<_> = (0..300).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    thread::sleep(Duration::from_millis(300));
    assert!(open() < 360, "{}", open());
    drop(waiting);
    assert_eq!(server.get("/b/version").status, 200);
    assert_eq!(asked(&server, "/shut"), opened);
    // Connections to other servers are among its files.
    asked(&server, &format!("/unread?url=http://{mute}/&exchanges=900&ms=300"));
    assert!(open() <= before + 200, "{before} -> {}", open());
    assert_eq!(server.get("/b/version").status, 200);
    server.assert_no_panic("open files");
    assert!(!server.log().contains("could not be accepted"), "{}", server.log());
}

#[test]
fn what_an_app_stores_has_a_quota() {
    let data = scratch("data");
    let tables = format!("[app.a.files]\n\"/data\" = {{ path = \"{}\", write = true }}", data.display());
    let server = greedy("files-quota = \"4MiB\"\nstored-files = 50", &tables);
    assert_eq!(asked(&server, "/keep?name=/data/small&text=hello"), "hello");
    let filled = numbers(&asked(&server, "/fill?name=/data/big&mb=100"));
    assert_eq!(filled[1], IO);
    assert!(filled[0] > 3 * MIB && size(&data) <= 4 * MIB, "{filled:?}, {} bytes", size(&data));
    server.log_with(
        "its folders are full (files-quota in [app.NAME.limits], stored-files in [app.NAME.limits])",
    );
    assert_eq!(numbers(&asked(&server, "/fill?name=/data/more&mb=1")), [0, IO]);
    // What is deleted gives room, also to another file.
    assert_eq!(asked(&server, "/clear?folder=/data"), 3);
    assert_eq!(numbers(&asked(&server, "/fill?name=/data/big&mb=3")), [3 * MIB, 0]);
    // A file of holes has a size; and a file that was deleted takes room while it is open.
    assert_eq!(asked(&server, "/stretch?name=/data/holes&mb=1000000"), NO_SPACE);
    asked(&server, "/clear?folder=/data");
    let hidden = numbers(&asked(&server, "/hide?folder=/data&mb=1&times=30"));
    assert!((3 * MIB..=4 * MIB).contains(&hidden[0]) && hidden[1] == IO, "{hidden:?}");
    asked(&server, "/shut");
    asked(&server, "/clear?folder=/data");
    let hidden = numbers(&asked(&server, "/hide-read-only?folder=/data&mb=1&times=30"));
    assert!((3 * MIB..=4 * MIB).contains(&hidden[0]) && hidden[1] == IO, "{hidden:?}");
    asked(&server, "/shut");
    asked(&server, "/clear?folder=/data");
    let sown = numbers(&asked(&server, "/sow?folder=/data&count=1000"));
    assert!((40..=50).contains(&sown[0]) && sown[1] == NO_SPACE, "{sown:?}");
    assert!(fs::read_dir(&data).unwrap().count() <= 50);
    asked(&server, "/clear?folder=/data");
    // The same file again and again is no growth.
    for number in 0..30 {
        let text = format!("{number}").repeat(100_000);
        let written = server.get(&format!("/a/keep?name=/data/same&text={}", &text[..50_000]));
        assert_eq!(written.status, 200);
    }
    server.assert_no_panic("storage");
}

/// A file that was deleted takes room while the host sends it, and gives it back when the client is gone.
#[test]
fn a_deleted_file_that_is_being_sent_is_stored() {
    let data = scratch("data");
    let tables = format!("[app.a.files]\n\"/data\" = {{ path = \"{}\", write = true }}", data.display());
    let server = greedy("files-quota = \"64MiB\"", &tables);
    assert_eq!(numbers(&asked(&server, "/fill?name=/data/big&mb=40")), [40 * MIB, 0]);
    // It takes a few bytes of forty megabytes, which are more than sockets buffer.
    let mut slow = TcpStream::connect(server.address).unwrap();
    slow.write_all(b"GET /a/send?name=/data/big HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    slow.read_exact(&mut [0; 1000]).unwrap();
    assert_eq!(asked(&server, "/clear?folder=/data"), 1);
    let refused = numbers(&asked(&server, "/fill?name=/data/more&mb=40"));
    assert!((20 * MIB..=24 * MIB).contains(&refused[0]) && refused[1] == IO, "{refused:?}");
    drop(slow);
    asked(&server, "/clear?folder=/data");
    until(|| numbers(&asked(&server, "/fill?name=/data/more&mb=40")) == [40 * MIB, 0]);
}

/// What clients upload at a time may take as much of the disk as what the app stores.
#[test]
fn uploads_on_the_disk_have_the_quota_of_files() {
    let server = greedy("files-quota = \"4MiB\"\nupload = \"8MiB\"", "");
    let head = "POST /a/upload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3145900\r\n\
                content-type: multipart/form-data; boundary=edge\r\n\r\n--edge\r\n\
                content-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
    let begin = || {
        let mut stream = TcpStream::connect(server.address).unwrap();
        // The one that is refused may be closed before it has sent everything.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b'x'; 3 << 20]));
        stream
    };
    let held = begin();
    thread::sleep(Duration::from_millis(500));
    let mut refused = begin();
    let mut answer = [0; 12];
    refused.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 507");
    server.log_with("files-quota in [app.NAME.limits]");
    drop(held);
    until(|| upload(&server).status == 200);
}

/// The names of files are bytes of the request that stay in memory, although the files have none.
#[test]
fn names_of_uploaded_files_count_as_the_body_that_they_are() {
    let server = greedy("upload = \"256MiB\"", "");
    let pid = server.child.id();
    let head = |name: &str| {
        format!("--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n\r\n")
    };
    // The host refuses the request early, and takes no more of it.
    let (grown, ()) = growth(pid, || {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let body = head(&"x".repeat(900_000)).repeat(100) + "--edge--\r\n";
        let head = format!(
            "POST /a/upload HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=edge\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    });
    server.log_with("\"limit\":\"body in [app.NAME.limits]\"");
    assert!(grown < 32 * MIB, "{} MiB", grown / MIB);
    let body = head("x.txt") + "--edge--\r\n";
    let kind = [("content-type", "multipart/form-data; boundary=edge")];
    assert_eq!(server.connect().send("POST", "/a/upload", &kind, body.as_bytes()).status, 200);
}

/// A file of two megabytes, which goes to the disk.
fn upload(server: &Server) -> Response {
    let head = "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
    let body = [head.as_bytes(), &vec![b'x'; 2 << 20], b"\r\n--edge--\r\n"].concat();
    let kind = [("content-type", "multipart/form-data; boundary=edge")];
    server.connect().send("POST", "/a/upload", &kind, &body)
}

/// Nine hundred names that nobody resolves: uploads and files are served all the same, and so are other names.
#[test]
fn a_resolver_that_does_not_answer_holds_up_no_files() {
    let data = scratch("data");
    fs::write(data.join("file"), "content").unwrap();
    let near = upstream(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    });
    let tables = format!(
        "[app.a.files]\n\"/data\" = {{ path = \"{}\" }}\n[app.a.http]\nallow = [\"*.mute.example\", \"{near}\"]",
        data.display()
    );
    let file = terms("", &tables);
    let one_worker = fs::read_to_string(&file).unwrap().replace("workers = 2", "workers = 1");
    fs::write(&file, one_worker).unwrap();
    let mut command = Command::new(BINARY);
    command.arg("serve").arg(&file).args(["--log-format", "json"]);
    command.env("LD_PRELOAD", shim()).env("BOLT_MUTE", ".mute.example");
    let server = Server::spawn(command);
    ready(&server);
    assert_eq!(asked(&server, "/probe"), "here");
    let mut asking = server.connect();
    asking.start("GET", "/a/ask?count=900&domain=mute.example&ms=3000", &[], b"");
    thread::sleep(Duration::from_millis(500));
    for _ in 0..5 {
        let stored = upload(&server);
        assert_eq!((stored.status, stored.text()), (200, "2097152"));
        assert_eq!(server.get("/a/send?name=/data/file").text(), "content");
        let found = asked(&server, &format!("/fetch?url=http://{near}/&ms=60000"));
        assert!(found.as_str().unwrap().contains("\"status\":200"), "{found}");
    }
    assert_eq!(asking.finish("GET").json(), 0, "a name was resolved");
    let threads = fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap().count();
    assert!(threads < 64, "{threads} threads");
}

/// Nobody reads standard error: the host serves on, and holds a bounded part of what was logged.
#[test]
fn a_log_that_nobody_reads_is_bounded_and_stops_nobody() {
    let pipe = scratch("pipe").join("log");
    run(Command::new("mkfifo").arg(&pipe));
    // Open in both directions, so that neither side waits for the other.
    let reader = fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let mut command = Command::new("sh");
    let script = "log=$1; shift; exec \"$0\" \"$@\" 2>\"$log\"";
    command.args(["-c", script, BINARY]).arg(&pipe).arg("serve").arg(terms("log-rate = \"1GiB\"", ""));
    command.args(["--log-format", "json"]);
    let server = Server::spawn(command);
    ready(&server);
    assert_eq!(asked(&server, "/probe"), "here");
    let (grown, ()) = growth(server.child.id(), || {
        for _ in 0..20 {
            asked(&server, "/log?mb=8&times=20");
            asked(&server, "/lines?count=2000");
            asked(&server, "/print?mb=1");
            assert_eq!(server.get("/b/version").status, 200);
        }
    });
    assert!(grown < 96 * MIB, "{} MiB", grown / MIB);
    drop(reader);
}

/// Characters that a log must not have: they move the cursor, break lines, or turn the direction of writing.
fn is_harmful(c: char) -> bool {
    c.is_control() && c != '\n' || matches!(c, '\u{202e}' | '\u{2028}' | '\u{2029}')
}

#[test]
fn no_text_forges_a_line_of_the_log() {
    for format in ["json", "human"] {
        let mut command = Command::new(BINARY);
        command.arg("serve").arg(terms("", "")).args(["--log-format", format]);
        let server = Server::spawn(command);
        ready(&server);
        for way in ["print", "log", "raise", "file"] {
            assert_eq!(server.get(&format!("/a/forge?way={way}")).status, 500, "{way}");
        }
        server.get("/a/%E2%80%AE%0A%1B[2Jforged");
        assert_eq!(asked(&server, "/long-path?mb=8"), serde_json::Value::Null);
        let log = server.log_with("/a/long-path");
        assert!(log.len() < 1 << 20, "{} bytes", log.len());
        assert!(log.contains("forged"), "{log}");
        assert!(!log.contains(is_harmful), "{log}");
        for line in log.lines() {
            let is_own = match format {
                "json" => serde_json::from_str::<serde_json::Value>(line)
                    .is_ok_and(|line| line["timestamp"].is_string()),
                _ => line.starts_with("  ") || line.starts_with("20") || !line.contains("forged"),
            };
            assert!(is_own, "{line}\n\n{log}");
        }
    }
}

/// The same attacks beside a neighbour, which gets every answer; afterwards nothing is left of them.
#[test]
fn a_greedy_tenant_takes_nothing_from_its_neighbour() {
    let (data, mute, endless, announcing) = (scratch("data"), mute(), endless(), announcing());
    fs::write(data.join("file"), "content").unwrap();
    let a = format!(
        "exchanges = 200\nopen-files = 200\nfiles-quota = \"16MiB\"\nstored-files = 500\n\
         [app.a.files]\n\"/data\" = {{ path = \"{}\", write = true }}\n[app.a.http]\nallow = [\"{mute}\", \"{endless}\", \"{announcing}\"]",
        data.display()
    );
    let pair = Pair::new(&Terms { app: "greedy", a: &a, ..Terms::default() });
    let attacks = [
        (
            "bodies of 400 MB to a server that reads none",
            format!("/hoard?url=http://{mute}/&exchanges=100&mb=4&whole=false"),
        ),
        ("the same, whole", format!("/hoard?url=http://{mute}/&exchanges=100&mb=4&whole=true")),
        (
            "200 responses without an end, unread",
            format!("/unread?url=http://{endless}/&exchanges=200&ms=300"),
        ),
        (
            "100 answers that are announced without an end",
            format!("/unread?url=http://{announcing}/&exchanges=100&ms=300"),
        ),
        ("100 000 refused requests", "/refused?count=100000&text=x".to_owned()),
        ("20 000 parks", "/parks?count=20000".to_owned()),
        ("a file opened 20 000 times", "/open?name=/data/file&count=20000".to_owned()),
        ("a disk filled", "/fill?name=/data/big&mb=3000".to_owned()),
        ("10 000 files made", "/sow?folder=/data&count=10000".to_owned()),
        ("lines of 8 MB for the log", "/log?mb=8&times=20".to_owned()),
        ("forged lines", "/forge?way=raise".to_owned()),
    ];
    let flood = |pair: &Pair, path: &str, time| -> Answers { pair.flood_for(path, 8, time) };
    for (name, path) in [&attacks; 3].into_iter().flatten() {
        pair.attack(name, |pair| flood(pair, path, Duration::from_millis(300)));
    }
    pair.report(|pair| {
        for (name, path) in &attacks {
            pair.attack(name, |pair| flood(pair, path, attack_time()));
        }
    });
    assert!(size(&data) <= 16 * MIB, "{} bytes are stored", size(&data));
    let log = pair.server.log();
    assert!(log.len() < 64 << 20 && !log.contains(is_harmful), "{} bytes of log", log.len());
}

fn size(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}
