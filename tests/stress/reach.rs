//! Names and reach: web pages that ask the admin endpoint, and apps that reach for what they were not granted.

use crate::common::pair::{Answers, Pair, Terms, component};
use crate::common::tenants::{host, host_file, shop};
use crate::common::{BINARY, Connection, Server, http2, scratch};
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn counted(statuses: impl IntoIterator<Item = String>) -> Answers {
    let mut answers = Answers::new();
    for status in statuses {
        *answers.entry(status).or_default() += 1;
    }
    answers
}

/// What a page can have a browser of the operator send: to loopback under its own name (DNS rebinding), or across sites.
#[test]
fn a_web_page_cannot_use_the_admin_endpoint() {
    let pair = Pair::new(&Terms::default());
    let wasm = fs::read(component("hostile")).unwrap();
    let admin = pair.server.admin();
    let version = || pair.server.get("/b/version").text().to_owned();
    let before = (version(), pair.server.log());
    pair.attack("pages that deploy", |_| {
        let mut statuses = Vec::new();
        let host = format!("evil.example:{}", admin.port());
        for headers in [
            &[("host", &*host)][..],
            &[("host", &*host), ("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")],
            &[("origin", "http://evil.example")],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:3000")],
        ] {
            for (method, path, body) in [
                ("POST", "/apps/b/deploy", &wasm[..64 << 10]),
                ("POST", "/apps/b/rollback", b""),
                ("POST", "/loglevel", b"off"),
                ("GET", "/metrics", b""),
                ("GET", "/apps", b""),
            ] {
                // Even with the token, which a page does not have.
                for mut connection in [Connection::to(admin), Connection::to_stranger(admin)] {
                    let answer = connection.send(method, path, headers, body);
                    assert_eq!(answer.status, 403, "{method} {path} {headers:?}: {}", answer.text());
                    assert!(!answer.headers.contains_key("access-control-allow-origin"));
                    statuses.push(answer.status.to_string());
                }
            }
        }
        counted(statuses)
    });
    assert_eq!(version(), before.0);
    assert!(pair.server.log().starts_with(&before.1), "the log goes on");
}

/// A grant is a folder, not what its name leads to by the time somebody looks.
#[test]
fn a_link_in_the_place_of_a_granted_folder_leads_nowhere() {
    let place = scratch("swap");
    for folder in ["outer/inner", "secret"] {
        fs::create_dir_all(place.join(folder)).unwrap();
        fs::write(place.join(folder).join("file"), folder).unwrap();
    }
    let (outer, inner) = (place.join("outer"), place.join("outer/inner"));
    let files = |write: &str| {
        format!(
            "[app.a.files]\n\"/data\" = {{ path = \"{}\", write = true }}\n\"/data/inner\" = {{ path = \"{}\"{write} }}\n",
            outer.display(),
            inner.display()
        )
    };
    let grants = files("");
    let pair = Pair::new(&Terms { a: &grants, ..Terms::default() });
    let ask = |path: &str| pair.server.get(path).text().to_owned();
    assert_eq!(ask("/a/send?name=/data/inner/file"), "outer/inner");
    pair.attack("links in the place of granted folders", |pair| {
        assert_eq!(ask("/a/swap?place=/data/./inner&target=../secret"), "\"../secret\"");
        let mut statuses = Vec::new();
        for _ in 0..8 {
            // The next request gets a new instance.
            pair.server.get("/a/trap");
            for way in ["steal", "send"] {
                for name in ["inner/file", "inner/../inner/file", "inner/../../secret/file", "../secret/file"]
                {
                    let answer = pair.server.get(&format!("/a/{way}?name=/data/{name}&place=/nowhere"));
                    assert!(!answer.text().contains("secret"), "{way} {name}: {}", answer.text());
                    statuses.push(answer.status.to_string());
                }
            }
            assert_eq!(ask("/a/send?name=/data/inner/file"), "outer/inner");
        }
        counted(statuses)
    });
    drop(pair);
    // The link is still there when a host starts: with the grants of one app, or of two.
    let source = shop(1).display().to_string();
    let of_two = format!(
        "[app.a]\nsource = \"{source}\"\n[app.a.files]\n\"/data\" = {{ path = \"{}\", write = true }}\n\
         [app.b]\nsource = \"{source}\"\nprefix = \"/b\"\n[app.b.files]\n\"/mine\" = {{ path = \"{}\" }}\n",
        outer.display(),
        inner.display()
    );
    for text in [format!("[app.a]\nsource = \"{source}\"\n{grants}"), of_two] {
        let output = Command::new(BINARY).arg("check").arg(host_file(&text)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("leads over the link inner"), "{said}");
    }
}

fn inspect(wasm: &Path, cache: &Path) -> Output {
    Command::new(BINARY).arg("inspect").arg(wasm).arg("--cache").arg(cache).output().unwrap()
}

fn version(wasm: &Path, cache: &Path) -> u64 {
    let mut command = Command::new(BINARY);
    command.arg("run").arg(wasm).args(["--port=0", "--workers=1", "--cache"]).arg(cache);
    Server::spawn(command).get("/version").json().as_u64().unwrap()
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Who can write to the cache could have the host run code of theirs.
#[test]
fn code_that_others_may_have_written_is_not_run() {
    let (one, two) = (shop(1), shop(2));
    let cache = scratch("outer").join("cache");
    assert_eq!((version(&one, &cache), version(&two, &cache)), (1, 2));
    let apps: Vec<PathBuf> = fs::read_dir(cache.join("aot"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.join("manifest.json").exists())
        .collect();
    assert_eq!(apps.len(), 2);

    // Whole and undamaged code of another app.
    for name in ["code.bin", "code.seal"] {
        fs::copy(apps[0].join(name), apps[1].join(name)).unwrap();
    }
    assert_eq!((version(&one, &cache), version(&two, &cache)), (1, 2));
    assert_ne!(fs::read(apps[0].join("code.bin")).unwrap(), fs::read(apps[1].join("code.bin")).unwrap());

    // Files that others can write to, or that are somebody else's, are made anew.
    let is_root = rustix::process::geteuid().is_root();
    for name in ["code.bin", "code.seal"] {
        let file = apps[0].join(name);
        set(&file, 0o666);
        assert_eq!((version(&one, &cache), version(&two, &cache)), (1, 2));
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600, "{name}");
        if is_root {
            chown(&file, Some(65534), Some(65534)).unwrap();
            assert_eq!((version(&one, &cache), version(&two, &cache)), (1, 2));
            assert_eq!(fs::metadata(&file).unwrap().uid(), 0, "{name}");
        }
    }
    let key = cache.join("code.key");
    let before = fs::read(&key).unwrap();
    set(&key, 0o644);
    assert_eq!(version(&one, &cache), 1);
    assert_ne!(fs::read(&key).unwrap(), before);

    // Folders that others can write to are refused, with a sentence.
    for (folder, mode) in [(&cache, 0o777), (&cache, 0o770), (&cache.parent().unwrap().to_owned(), 0o777)] {
        set(folder, mode);
        let output = inspect(&one, &cache);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("others may write to"), "{folder:?}: {said}");
        assert!(said.contains("--cache"), "{said}");
        set(folder, 0o700);
    }
    if is_root {
        chown(&cache, Some(65534), None).unwrap();
        let output = inspect(&one, &cache);
        assert!(!output.status.success(), "root used the cache of nobody");
        chown(&cache, Some(0), None).unwrap();
    }
    assert!(inspect(&one, &cache).status.success());
}

/// A server on all addresses of this machine, as an admin endpoint may be; returns its port.
fn inside() -> u16 {
    let listener = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\ninside");
        }
    });
    port
}

/// The addresses of this machine, as `hostname -I` prints them.
fn own_addresses() -> Vec<IpAddr> {
    let output = Command::new("hostname").arg("-I").output().unwrap();
    String::from_utf8_lossy(&output.stdout).split_whitespace().filter_map(|text| text.parse().ok()).collect()
}

#[test]
fn no_star_and_no_range_reaches_this_machine() {
    let port = inside();
    let stars = format!(
        "[app.a.http]\nallow = [\"*:{port}\", \"*\", \"0.0.0.0/0:{port}\", \"[::/0]:{port}\", \"*.localhost:{port}\"]\n"
    );
    let named = format!(
        "[app.c]\nsource = \"{}\"\nprefix = \"/c\"\n[app.c.http]\nallow = [\"localhost:{port}\", \"127.0.0.2:{port}\"]\n",
        component("hostile").display()
    );
    let pair = Pair::new(&Terms { a: &stars, b: &named, ..Terms::default() });
    let ask = |app: &str, host: &str| {
        pair.server.get(&format!("/{app}/reach?url=http://{host}:{port}/")).text().to_owned()
    };
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    let mut hosts: Vec<String> = [
        "localhost",
        "LocalHost",
        "localhost.",
        "a.localhost",
        "ip6-localhost",
        "127.0.0.1",
        "127.0.0.2",
        "127.1",
        "0x7f000001",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "169.254.169.254",
        &hostname,
    ]
    .map(str::to_owned)
    .into();
    for own in own_addresses() {
        match own {
            IpAddr::V4(own) => hosts.extend([own.to_string(), format!("[::ffff:{own}]")]),
            IpAddr::V6(own) => hosts.push(format!("[{own}]")),
        }
    }
    pair.attack("names of this machine under a star", |_| {
        counted(hosts.iter().map(|host| {
            let answer = ask("a", host);
            assert!(answer.starts_with("\"refused: "), "{host}: {answer}");
            answer
        }))
    });
    assert_eq!(ask("c", "localhost"), "\"inside\"");
    assert_eq!(ask("c", "127.0.0.2"), "\"inside\"");
    assert!(ask("c", "127.0.0.3").starts_with("\"refused: "));
}

/// What a client says about the host of a request selects the app, and is what the app sees, in each version of HTTP.
#[test]
fn an_app_sees_the_host_that_selected_it() {
    let source = component("hostile").display().to_string();
    let app = |name: &str| {
        format!(
            "[app.{name}]\nsource = \"{source}\"\nhosts = [\"{name}.example\"]\n[app.{name}.env]\nNAME = \"{name}\"\n"
        )
    };
    let server = host(&(app("one") + &app("two")));
    // What is in the request target, what is in `Host`, and what the app says; none is a 400.
    for (target, given, seen) in [
        (None, &["one.example"][..], Some("one one.example")),
        (None, &["TWO.example.:8000"], Some("two TWO.example.:8000")),
        (Some("one.example"), &["one.example"], Some("one one.example")),
        (Some("one.example"), &["ONE.example.:80"], Some("one one.example")),
        (Some("two.example:8000"), &["two.example:8000"], Some("two two.example:8000")),
        (Some("one.example"), &["two.example"], None),
        (Some("two.example"), &["one.example"], None),
        (Some("one.example"), &["one.example:8000"], None),
        (Some("one.example"), &["one.example", "one.example"], None),
        (Some("x@one.example"), &["one.example"], None),
        (None, &["one.example", "two.example"], None),
        (None, &["one.example@two.example"], None),
        (None, &["one.example:two.example"], None),
        (None, &[], None),
    ] {
        let line = target.map_or_else(|| "/host".to_owned(), |target| format!("http://{target}/host"));
        let hosts: String = given.iter().map(|given| format!("host: {given}\r\n")).collect();
        let first = server.raw(format!("GET {line} HTTP/1.1\r\n{hosts}connection: close\r\n\r\n").as_bytes());
        let targets: Vec<_> = target.into_iter().collect();
        let second = http2::get(server.address, "/host", &targets, given);
        match seen {
            Some(seen) => {
                assert!(
                    first.starts_with("HTTP/1.1 200 ") && first.ends_with(&format!("\"{seen}\"")),
                    "{line} {given:?}: {first}"
                );
                assert_eq!(second, (200, format!("\"{seen}\"")), "{line} {given:?}");
            }
            None => {
                assert!(first.starts_with("HTTP/1.1 400 "), "{line} {given:?}: {first}");
                // The HTTP/2 library resets some of them itself.
                assert!(matches!(second.0, 400 | 0), "{line} {given:?}: {second:?}");
            }
        }
    }
    // HTTP/2 without a header: what is in the target is what the app sees.
    assert_eq!(
        http2::get(server.address, "/host", &["two.example"], &[]),
        (200, "\"two two.example\"".to_owned())
    );
    // A redirect stays on its host, also for browsers, which take a backslash for a slash.
    for path in ["/\\evil.example/deep/", "/%5Cevil.example/deep/"] {
        let answer = server
            .raw(format!("GET {path} HTTP/1.1\r\nhost: one.example\r\nconnection: close\r\n\r\n").as_bytes());
        let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
        assert_eq!(location, Some("/%5Cevil.example/deep"), "{answer}");
    }
    let answer =
        server.raw(b"GET //evil.example/deep/ HTTP/1.1\r\nhost: one.example\r\nconnection: close\r\n\r\n");
    assert!(!answer.contains("location: //"), "{answer}");
}

#[test]
fn nobody_logs_under_the_request_of_another() {
    let pair = Pair::new(&Terms::default());
    pair.attack("lines under the numbers of others", |pair| {
        for _ in 0..5 {
            assert_eq!(pair.server.get("/a/forge?first=1&last=400").status, 200);
        }
        Answers::new()
    });
    let log = pair.server.log_with("forged 399.");
    let forged = log.lines().filter(|line| line.contains("forged "));
    let mut own = 0;
    for line in forged {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(number) = line["request"].as_u64() {
            // A request may name itself.
            assert_eq!(line["message"], format!("forged {number}."));
            own += 1;
        }
    }
    assert!(own <= 5, "{own} lines have the number of a request, of five requests");
}
