//! Faults of the machine: the host is killed, its disk fills up, its files are damaged or removed, its clock jumps.

use crate::common::tenants::{host_file, order, ready, shop, until};
use crate::common::{BINARY, Connection, Server, scratch, shim};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A host file with one app, a copy of `wasm`.
fn host_of(wasm: &Path) -> (PathBuf, PathBuf) {
    let served = scratch("served").join("shop.wasm");
    fs::copy(wasm, &served).unwrap();
    (host_file(&format!("[app.shop]\nsource = \"{}\"\n", served.display())), served)
}

/// `bolt-host serve`, started by a shell after it ran `first`.
fn serve(first: &str, redirect: &str, file: &Path, cache: Option<&Path>) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{first}; exec \"$0\" \"$@\" {redirect}")).arg(BINARY);
    command.arg("serve").arg(file).args(["--log-format", "json"]);
    if let Some(cache) = cache {
        command.arg("--cache").arg(cache);
    }
    command
}

/// Deploy a version, and kill the host after `delay`. Returns the version that it served before.
fn killed_while_deploying(file: &Path, cache: &Path, versions: &[PathBuf; 2], delay: Duration) -> usize {
    let mut server = Server::spawn(serve("true", "", file, Some(cache)));
    ready(&server);
    let found = server.get("/version").json().as_u64().unwrap() as usize;
    let mut client = Command::new(BINARY);
    let admin = server.admin().to_string();
    client.args(["deploy", "shop"]).arg(&versions[2 - found]).args(["--admin", &admin]);
    client.env("BOLT_ADMIN_TOKEN", server.admin_token());
    let mut client = client.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(delay);
    server.child.kill().unwrap();
    server.wait();
    client.wait().unwrap();
    found
}

/// Whenever it is killed, the next host serves either the old version or the new one.
#[test]
fn a_host_that_is_killed_while_it_deploys_serves_one_version_or_the_other() {
    let versions = [shop(1), shop(2)];
    let (file, served) = host_of(&versions[0]);
    let cache = scratch("cache");
    // Kill it while it compiles.
    for delay in [20, 400, 900, 2000] {
        killed_while_deploying(&file, &cache, &versions, Duration::from_millis(delay));
    }
    let server = Server::spawn(serve("true", "", &file, Some(&cache)));
    ready(&server);
    let mut whole = Duration::ZERO;
    for wasm in [&versions[1], &versions[0]] {
        let begun = Instant::now();
        let (done, said) = order(&server, &["deploy", "shop", wasm.to_str().unwrap()]);
        assert!(done, "{said}");
        whole = begun.elapsed();
    }
    drop(server);
    // Kill it while files are renamed, and right after.
    let mut seen = [0, 0];
    for step in 0..100 {
        // If the machine has become slower, a deployment needs longer to finish.
        if step >= 24 && seen.iter().all(|times| *times > 0) {
            break;
        }
        let found = killed_while_deploying(&file, &cache, &versions, whole.mul_f64(f64::from(step) / 20.0));
        seen[found - 1] += 1;
    }
    assert!(seen.iter().all(|times| *times > 0), "one version was never served: {seen:?}");
    let server = Server::spawn(serve("true", "", &file, Some(&cache)));
    ready(&server);
    assert_eq!(beside(&served), ["shop.wasm"]);
    let (done, said) = order(&server, &["rollback", "shop"]);
    assert!(done, "{said}");
}

/// The names of all files in a file's folder.
fn beside(file: &Path) -> Vec<String> {
    let entries = fs::read_dir(file.parent().unwrap()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Files have a size limit, as on a full disk. (A full disk sends no signal.)
const FULL: &str = "trap '' XFSZ; ulimit -f 2000";

#[test]
fn a_full_disk_breaks_nothing_that_is_there() {
    let (one, two) = (shop(1), shop(2));
    let (file, served) = host_of(&one);
    let cache = scratch("cache");
    // Nothing is compiled yet: the host logs an error, and leaves no partial file.
    let server = Server::spawn(serve(FULL, "", &file, Some(&cache)));
    server.log_with("the compiled component cannot be stored");
    assert_eq!(server.get("/version").status, 503);
    server.assert_no_panic("full");
    drop(server);
    let server = Server::spawn(serve("trap '' XFSZ", "", &file, Some(&cache)));
    ready(&server);
    assert_eq!(server.get("/version").json(), json!(1));
    let limit = |bytes: &str| {
        let pid = server.child.id().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status();
        assert!(set.unwrap().success());
    };
    limit("1000000");
    let (done, said) = order(&server, &["deploy", "shop", two.to_str().unwrap()]);
    assert!(!done && said.contains("cannot be stored"), "{said}");
    assert_eq!(beside(&served), ["shop.wasm"]);
    assert_eq!(server.get("/version").json(), json!(1));
    assert_eq!(fs::read(&served).unwrap(), fs::read(&one).unwrap());
    limit("unlimited");
    let (done, said) = order(&server, &["deploy", "shop", two.to_str().unwrap()]);
    assert!(done, "{said}");
    assert_eq!(server.get("/version").json(), json!(2));
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let (file, _) = host_of(&shop(1));
    let mut server = Server::spawn(serve("true", "2>/dev/full", &file, None));
    ready(&server);
    let mut connection = server.connect();
    for _ in 0..1000 {
        assert_eq!(connection.get("/version").status, 200);
    }
    assert_eq!(server.get("/spin?ms=x").status, 422);
    drop(connection);
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
}

/// Damaged compiled code is never run: it is compiled again.
#[test]
fn damaged_compiled_code_is_made_anew() {
    let wasm = shop(1);
    let cache = scratch("cache");
    let answer = || {
        let mut command = Command::new(BINARY);
        command.arg("run").arg(&wasm).args(["--port", "0", "--workers", "1"]).arg("--cache").arg(&cache);
        Server::spawn(command).get("/version").json()
    };
    assert_eq!(answer(), json!(1));
    let folders = compiled(&cache);
    // Its own code, and the code that it would share with other apps.
    assert_eq!(folders.len(), 2);
    for code in folders.iter().map(|folder| folder.join("code.bin")) {
        let good = fs::read(&code).unwrap();
        let mut flipped = good.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x10;
        for damaged in [&flipped[..], &good[..good.len() / 2], b""] {
            fs::write(&code, damaged).unwrap();
            assert_eq!(answer(), json!(1));
            assert!(fs::read(&code).unwrap() == good, "it was not made anew");
        }
        fs::remove_file(&code).unwrap();
        assert_eq!(answer(), json!(1));
    }
    let manifest = folders.iter().map(|folder| folder.join("manifest.json")).find(|file| file.exists());
    fs::write(manifest.unwrap(), "{").unwrap();
    assert_eq!(answer(), json!(1));
}

/// Apps differ in their initial memory, but not in the interpreter.
#[test]
fn different_apps_share_one_compiled_interpreter() {
    let cache = scratch("cache");
    for wasm in [shop(1), shop(2)] {
        let mut command = Command::new(BINARY);
        command.arg("run").arg(&wasm).args(["--port", "0", "--workers", "1"]).arg("--cache").arg(&cache);
        assert_eq!(Server::spawn(command).get("/version").status, 200);
    }
    let (apps, codes): (Vec<_>, Vec<_>) =
        compiled(&cache).into_iter().partition(|folder| folder.join("manifest.json").exists());
    assert_eq!((apps.len(), codes.len()), (2, 1));
}

/// A host file of the shop, which is evicted after a second.
fn host_that_puts_away() -> PathBuf {
    let (file, _) = host_of(&shop(1));
    let text = fs::read_to_string(&file).unwrap().replace("[server]", "[server]\nidle = \"1s\"");
    fs::write(&file, text).unwrap();
    file
}

fn until_it_is_put_away(server: &Server) {
    until(|| !Connection::to(server.admin()).get("/metrics").text().contains("app=\"shop\""));
}

/// The folders of compiled code.
fn compiled(cache: &Path) -> Vec<PathBuf> {
    fs::read_dir(cache.join("aot")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The number of pages in an app's page record: a run per line, first page and count.
fn noted(notes: &Path) -> u64 {
    let text = fs::read_to_string(notes).unwrap();
    let run = |line: &str| {
        let (first, count) = line.split_once(' ').unwrap();
        first.parse::<u64>().unwrap();
        count.parse::<u64>().unwrap()
    };
    text.lines().map(run).sum()
}

/// The pages that a cold start uses are recorded when an app is built, and again after requests. A wrong record does no
/// harm, and is replaced.
#[test]
fn notes_of_what_a_start_uses_are_advice() {
    let file = host_that_puts_away();
    let cache = scratch("cache");
    let start = || {
        let server = Server::spawn(serve("true", "", &file, Some(&cache)));
        ready(&server);
        server
    };
    let answers = |server: &Server| {
        assert_eq!(server.get("/version").status, 200);
        until_it_is_put_away(server);
    };
    drop(start());
    let app = compiled(&cache).into_iter().find(|folder| folder.join("manifest.json").exists()).unwrap();
    let notes = app.join("code.pages");
    let built = noted(&notes);
    for wrong in ["", "?", "0 18446744073709551615", "18446744073709551615 1", "1 1\n0 99999999", "0 0"] {
        fs::write(&notes, wrong).unwrap();
        answers(&start());
        let used = noted(&notes);
        assert!(used > 100 && used < 2 * built, "{used} pages after {wrong:?}, {built} when it was built");
    }
}

/// The cache is cleared while an app is evicted.
#[test]
fn removed_compiled_code_is_made_anew() {
    let file = host_that_puts_away();
    let cache = scratch("cache");
    let server = Server::spawn(serve("true", "", &file, Some(&cache)));
    ready(&server);
    assert_eq!(server.get("/version").status, 200);
    fs::remove_dir_all(cache.join("aot")).unwrap();
    until_it_is_put_away(&server);
    assert_eq!(server.get("/version").status, 503);
    until(|| server.get("/version").status == 200);
}

const YEAR: i64 = 365 * 24 * 3600;

/// Requests, deadlines and idle times use a monotonic clock.
#[test]
fn a_clock_that_jumps_disturbs_no_request() {
    let (file, _) = host_of(&shop(1));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + "[app.shop.limits]\ndeadline = \"700ms\"\n").unwrap();
    let clock = scratch("clock").join("offset");
    fs::write(&clock, "0").unwrap();
    let mut command = serve("true", "", &file, None);
    command.env("LD_PRELOAD", shim()).env("BOLT_CLOCK", &clock);
    let server = Server::spawn(command);
    ready(&server);
    let begun = server.get("/now").json().as_f64().unwrap();
    for years in [10, -40, 0, -1, 100, 0] {
        let mut waiting = server.connect();
        waiting.start("GET", "/sleep?ms=200", &[], b"");
        let mut late = server.connect();
        late.start("GET", "/sleep?ms=60000", &[], b"");
        thread::sleep(Duration::from_millis(50));
        // Renamed in one step: a reader never finds half of it.
        let turned = clock.with_extension("new");
        fs::write(&turned, (years * YEAR).to_string()).unwrap();
        fs::rename(&turned, &clock).unwrap();
        assert_eq!(waiting.finish("GET").status, 200, "{years} years");
        assert_eq!(late.finish("GET").status, 504, "{years} years");
        let now = server.get("/now").json().as_f64().unwrap();
        assert!((now - begun - (years * YEAR) as f64).abs() < 1e6, "{years} years: {begun} → {now}");
        // The host checks the file and ticks its apps once a second.
        thread::sleep(Duration::from_millis(1100));
    }
    assert_eq!(server.get("/seen").json(), json!(1), "the app was put away");
    server.assert_no_panic("clock");
}
