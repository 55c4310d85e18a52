//! File responses that the host sends, modules that are imported late, and background work of responses.

use crate::common::{BINARY, Response, Server, fixture, private_memory, scratch};
use serde_json::json;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A folder to grant, with a secret next to it.
fn folder() -> PathBuf {
    let place = scratch("files");
    let data = place.join("data");
    fs::create_dir_all(data.join("sub")).unwrap();
    fs::write(data.join("a.txt"), "0123456789").unwrap();
    fs::write(data.join("sub/page.html"), "<p>käse</p>").unwrap();
    fs::write(data.join("empty"), "").unwrap();
    fs::write(place.join("secret"), "secret").unwrap();
    symlink(place.join("secret"), data.join("link-out")).unwrap();
    symlink("a.txt", data.join("link-in")).unwrap();
    symlink("loop", data.join("loop")).unwrap();
    assert!(Command::new("mkfifo").arg(data.join("pipe")).status().unwrap().success());
    data
}

fn serve(data: &std::path::Path) -> Server {
    let grant = format!("--files=/data={}", data.display());
    Server::fixture(&["--workers", "1", "--instances", "1", &grant])
}

fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Response {
    server.connect().send("GET", path, headers, b"")
}

#[test]
fn files_are_sent_with_what_a_cache_needs() {
    let data = folder();
    let server = serve(&data);
    let whole = server.get("/sending/file/a.txt");
    assert_eq!((whole.status, whole.text()), (200, "0123456789"));
    assert_eq!(whole.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!((&*whole.headers["accept-ranges"], &*whole.headers["cache-control"]), ("bytes", "no-cache"));
    let page = server.get("/sending/file/sub/page.html");
    assert_eq!((page.text(), &*page.headers["content-type"]), ("<p>käse</p>", "text/html; charset=utf-8"));
    assert_eq!(server.get("/sending/file/empty").body, b"");
    assert_eq!(server.get("/sending/file/link-in").text(), "0123456789");
    let head = server.connect().send("HEAD", "/sending/file/a.txt", &[], b"");
    assert_eq!((head.status, &*head.headers["content-length"]), (200, "10"));

    let (etag, modified) = (&*whole.headers["etag"], &*whole.headers["last-modified"]);
    let status = |headers: &[(&str, &str)]| {
        let response = get(&server, "/sending/file/a.txt", headers);
        if response.status == 304 {
            assert!(response.body.is_empty() && response.headers["etag"] == etag, "{response:?}");
        }
        response.status
    };
    assert_eq!(status(&[("if-none-match", etag)]), 304);
    assert_eq!(status(&[("if-none-match", "*")]), 304);
    assert_eq!(status(&[("if-none-match", &format!("\"x\", W/{etag}"))]), 304);
    assert_eq!(status(&[("if-none-match", "\"x\"")]), 200);
    assert_eq!(status(&[("if-modified-since", modified)]), 304);
    assert_eq!(status(&[("if-modified-since", "Sat, 01 Jan 2000 00:00:00 GMT")]), 200);
    assert_eq!(status(&[("if-none-match", "\"x\""), ("if-modified-since", modified)]), 200);
    assert_eq!(status(&[("if-modified-since", "yesterday")]), 200);
    fs::write(data.join("a.txt"), "changed").unwrap();
    assert_eq!(status(&[("if-none-match", etag)]), 200);

    // Ranges and conditions only apply to a 200.
    let gone = get(&server, "/sending/gone", &[("range", "bytes=0-1"), ("if-none-match", "*")]);
    assert_eq!((gone.status, gone.text()), (410, "changed"));
    assert_eq!(gone.headers["content-type"], "text/x-gone; charset=utf-8");
    server.assert_well();
}

#[test]
fn parts_are_sent_as_they_are_asked_for() {
    let server = serve(&folder());
    let whole = server.get("/sending/file/a.txt").headers;
    let (etag, modified) = (whole["etag"].clone(), whole["last-modified"].clone());
    for (range, status, body, content_range) in [
        ("bytes=0-3", 206, "0123", "bytes 0-3/10"),
        ("bytes=4-", 206, "456789", "bytes 4-9/10"),
        ("bytes=-3", 206, "789", "bytes 7-9/10"),
        ("bytes=8-100", 206, "89", "bytes 8-9/10"),
        ("bytes=0-0", 206, "0", "bytes 0-0/10"),
        ("bytes=10-", 416, "", "bytes */10"),
        ("bytes=0-1,5-6", 200, "0123456789", ""),
        ("bytes=-11", 206, "0123456789", "bytes 0-9/10"),
        ("bytes=0-18446744073709551616", 206, "0123456789", "bytes 0-9/10"),
        ("bytes=-0", 416, "", "bytes */10"),
        ("bytes=x", 200, "0123456789", ""),
        ("bytes=-", 200, "0123456789", ""),
        ("bytes=5-2", 200, "0123456789", ""),
        ("lines=0-1", 200, "0123456789", ""),
    ] {
        let part = get(&server, "/sending/file/a.txt", &[("range", range)]);
        let found = part.headers.get("content-range").map_or("", |value| value);
        assert_eq!((part.status, part.text(), found), (status, body, content_range), "{range}");
    }
    let part = |known: &str| {
        get(&server, "/sending/file/a.txt", &[("range", "bytes=0-3"), ("if-range", known)]).status
    };
    assert_eq!((part(&etag), part(&modified)), (206, 206));
    for other in ["\"other\"", "Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2050 00:00:00 GMT", "x"] {
        assert_eq!(part(other), 200, "{other}");
    }
    // A range has a meaning for GET only.
    let head = server.connect().send("HEAD", "/sending/file/a.txt", &[("range", "bytes=0-3")], b"");
    assert_eq!((head.status, &*head.headers["content-length"]), (200, "10"));
    let empty = get(&server, "/sending/file/empty", &[("range", "bytes=0-3")]);
    assert!(empty.status == 416 || empty.status == 200, "{empty:?}");
    server.assert_well();
}

#[test]
fn nothing_but_what_was_granted_is_sent_or_read() {
    let data = folder();
    let server = serve(&data);
    for path in ["missing", "sub", "link-out", "loop", "pipe", "a.txt/x", "sub/", &"x".repeat(300)] {
        assert_eq!(server.get(&format!("/sending/file/{path}")).status, 404, "{path}");
    }
    let secret = data.parent().unwrap().join("secret");
    for path in
        [secret.to_str().unwrap(), "/etc/passwd", "/data", "/data/../secret", "a.txt", "", "/0/app.py"]
    {
        assert_eq!(server.get(&format!("/sending/outside?path={path}")).status, 500, "{path}");
    }
    assert!(server.log_with("lies in no folder").contains("--files"));
    assert_eq!(server.get("/sending/read?path=/data/a.txt").json(), json!("0123456789"));
    for path in [secret.to_str().unwrap(), "/etc/passwd", "/data/link-out", "/data/../secret", "/0/app.py"] {
        assert_eq!(server.get(&format!("/sending/read?path={path}")).status, 500, "{path}");
    }
    assert_eq!(server.get("/sending/write").status, 500);
    assert_eq!(fs::read(data.join("a.txt")).unwrap(), b"0123456789");
    server.assert_well();

    let without = Server::fixture(&["--workers", "1", "--instances", "1"]);
    assert_eq!(without.get("/sending/file/a.txt").status, 500);
    assert_eq!(without.get("/sending/read?path=/data/a.txt").status, 500);
    let app = fixture();
    for (grant, said) in [("/data=/no/such/folder", "is no folder"), ("data=/tmp", "/NAME=FOLDER")] {
        let output = Command::new(BINARY).arg("run").arg(&app).args(["--files", grant]).output().unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{grant}");
    }
}

/// 256 MiB pass through the host, and neither the host nor the guest holds them in memory.
#[test]
fn large_files_are_sent_in_parts() {
    let data = folder();
    let server = serve(&data);
    let (size, block) = (256 << 20, vec![7; 1 << 20]);
    let mut file = File::create(data.join("large")).unwrap();
    (0..size / block.len()).for_each(|_| file.write_all(&block).unwrap());
    server.get("/sending/file/a.txt");
    let before = private_memory(server.child.id());
    let mut connection = server.connect();
    connection.start("GET", "/sending/file/large", &[("connection", "close")], b"");
    let (mut received, mut buffer, mut most) = (0, vec![0; 1 << 20], 0);
    loop {
        match connection.stream.read(&mut buffer).unwrap() {
            0 => break,
            read => received += read,
        }
        most = most.max(private_memory(server.child.id()));
    }
    assert!(received > size, "{received}");
    assert!(most < before + (16 << 20), "{before} {most}");
    // A file that is truncated while it is sent must not look complete.
    let mut connection = server.connect();
    connection.start("GET", "/sending/file/large", &[], b"");
    connection.stream.read_exact(&mut buffer).unwrap();
    file.set_len(1 << 20).unwrap();
    let mut received = buffer.len();
    while let Ok(read @ 1..) = connection.stream.read(&mut buffer) {
        received += read;
    }
    assert!(received < size, "{received}");
    server.assert_well();
}

#[test]
fn responses_bring_their_work_along() {
    let server = serve(&folder());
    let download = server.get("/sending/download");
    let disposition = "attachment; filename*=utf-8''k%C3%A4se.txt";
    assert_eq!((download.text(), &*download.headers["content-disposition"]), ("0123456789", disposition));
    assert_eq!(server.get("/sending/json").status, 200, "FastAPI's JSONResponse has a status of its own");
    assert_eq!(server.get("/sending/response").text(), "made");
    // It runs after the response, so it may not be done yet.
    let done = json!(["sent", "json", "response"]);
    let start = Instant::now();
    while server.get("/sending/done").json() != done {
        assert!(start.elapsed() < Duration::from_secs(120), "{}", server.get("/sending/done").text());
    }
}

#[test]
fn modules_may_be_imported_late() {
    let server = serve(&folder());
    let found = json!({
        "decimal": "0.3", "colour": 1, "sum": 2, "day": "2026-01-02T00:00:00", "inner": 42, "space": "space",
    });
    for _ in 0..2 {
        assert_eq!(server.get("/sending/late").json(), found);
    }
    for module in ["statistics", "email.mime.text", "xml.etree.ElementTree", "late_package.inner"] {
        assert_eq!(server.get(&format!("/sending/late/{module}")).json(), json!(module));
    }
    assert_eq!(server.get("/sending/late/no_such_module").status, 500);
    assert!(server.log_with("No module named 'no_such_module'").contains("ModuleNotFoundError"));
    assert_eq!(server.get("/sending/late-error").status, 500);
    assert!(server.log_with("late and broken").contains("raise RuntimeError(\\\"late and broken\\\")"));
    server.assert_well();
}
