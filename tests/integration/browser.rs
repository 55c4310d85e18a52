//! Headless Chromium opens the pages of the examples that keep a connection, and chromedriver tells what they show.

use crate::common::{Connection, PATIENCE, Server, root};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Chromium outlives a chromedriver that is killed, but stays in its process group. The shell ends the group when its standard
/// input closes, which also happens when the tests are killed.
const DRIVER: &str = "chromedriver --port=0 & exec >/dev/null; read -r _; kill -KILL 0";

const FLAGS: [&str; 6] = [
    "--headless=new",
    // The sandbox does not run as root.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    // Chromium calls its vendor's services at each start.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-proxy-server",
];

/// The key of an element's id, from the WebDriver specification.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser that runs until it is dropped.
struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    folder: PathBuf,
}

struct Window<'a> {
    browser: &'a Browser,
    handle: Value,
}

impl Browser {
    /// Nothing if there is no chromedriver and nobody requires it.
    fn start() -> Option<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        if let Err(error) = Command::new("chromedriver").arg("--version").stdout(Stdio::null()).status() {
            let required = std::env::var_os("BOLT_REQUIRE_BROWSER").is_some();
            assert!(!required, "BOLT_REQUIRE_BROWSER is set, and chromedriver does not run: {error}");
            // Not `eprintln!`: the output of tests that pass is not shown.
            let _ =
                writeln!(std::io::stderr(), "A browser test is skipped: chromedriver does not run: {error}.");
            return None;
        }
        // Not in the target folder, whose path may be too long for the socket that Chromium makes here.
        let unique = format!("bolt-browser-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", DRIVER]).process_group(0).env("HOME", &folder).env("TMPDIR", &folder);
        let driver = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut browser = Self { driver, address, session: String::new(), folder };
        let lines = BufReader::new(browser.driver.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
        let told = |line: String| Some(line.split_once("started successfully on port ")?.1.to_owned());
        let port = lines.into_iter().find_map(told).expect("chromedriver did not start");
        browser.address.set_port(port.trim_end_matches('.').parse().unwrap());
        let wanted = json!({"browserName": "chrome", "goog:chromeOptions": {"args": FLAGS}});
        let session = browser.ask("POST", "/session", &json!({"capabilities": {"alwaysMatch": wanted}}));
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let response = Connection::to(self.address).send(method, path, &[], body.as_bytes());
        assert_eq!(response.status, 200, "{method} {path} {body}: {}", response.text());
        response.json()["value"].clone()
    }

    fn command(&self, method: &str, command: &str, body: &Value) -> Value {
        self.ask(method, &format!("/session/{}/{command}", self.session), body)
    }

    fn open(&self, server: &Server) -> Window<'_> {
        let handle = self.command("POST", "window/new", &json!({"type": "window"}))["handle"].clone();
        let window = Window { browser: self, handle };
        window.command("POST", "url", &json!({"url": format!("http://{}/", server.address)}));
        window
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.driver.stdin.take());
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Window<'_> {
    /// Commands are for the window that was chosen last.
    fn command(&self, method: &str, command: &str, body: &Value) -> Value {
        self.browser.command("POST", "window", &json!({"handle": self.handle}));
        self.browser.command(method, command, body)
    }

    /// What a script returns, once it is what the test waits for.
    fn until(&self, script: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let seen = self.command("POST", "execute/sync", &json!({"script": script, "args": []}));
            if is_wanted(&seen) {
                return seen;
            }
            if start.elapsed() > PATIENCE {
                let console = self.command("POST", "se/log", &json!({"type": "browser"}));
                panic!("the page shows {seen}; its console: {console}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Press keys in an element, or click on it.
    fn act(&self, selector: &str, action: &str, body: &Value) {
        let wanted = json!({"using": "css selector", "value": selector});
        let element = self.command("POST", "element", &wanted)[ELEMENT].as_str().unwrap().to_owned();
        self.command("POST", &format!("element/{element}/{action}"), body);
    }

    /// Wait for these messages in the page of the chat; others fail at once.
    fn shows(&self, messages: &[String]) {
        let script = "return [...document.querySelectorAll('#messages li')].map(line => line.textContent)";
        self.until(script, |seen| {
            let seen: Vec<String> = serde_json::from_value(seen.clone()).unwrap();
            assert!(messages.starts_with(&seen), "{seen:?} instead of {messages:?}");
            seen == messages
        });
    }

    /// The name that the page of the chat has given itself.
    fn name(&self) -> String {
        let seen = self.until("return document.querySelector('#messages li')?.textContent", Value::is_string);
        let seen = seen.as_str().unwrap();
        seen.strip_suffix(": joined").unwrap_or_else(|| panic!("the first message is {seen:?}")).to_owned()
    }
}

fn example(name: &str) -> Server {
    let app = root().join("examples").join(name).join("app.py");
    Server::start(&app, &["--workers", "1", "--instances", "1"])
}

#[test]
fn windows_show_what_is_said_in_the_others() {
    let Some(browser) = Browser::start() else { return };
    let server = example("chat");
    let first = browser.open(&server);
    let one = first.name();
    let second = browser.open(&server);
    let two = second.name();
    let mut messages = vec![format!("{one}: joined"), format!("{two}: joined")];
    first.shows(&messages);

    first.act("#text", "value", &json!({"text": "grüße <b>an alle</b>"}));
    first.act("#say button", "click", &json!({}));
    messages.push(format!("{one}: grüße <b>an alle</b>"));
    first.shows(&messages);
    second.shows(&messages[1..]);

    second.act("#text", "value", &json!({"text": "hello\n"}));
    messages.push(format!("{two}: hello"));
    second.shows(&messages[1..]);
    first.shows(&messages);

    second.command("DELETE", "window", &json!({}));
    messages.push(format!("{two}: left"));
    first.shows(&messages);
    server.assert_no_panic("chat");
}

#[test]
fn a_page_shows_one_event_after_the_other() {
    let Some(browser) = Browser::start() else { return };
    let server = example("ticker");
    let page = browser.open(&server);
    let script = "return Number(document.getElementById('price').textContent)";
    let first = page.until(script, Value::is_number);
    let second = page.until(script, |price| price.is_number() && *price != first);
    let history = server.get("/history?count=1000");
    let prices: Vec<Value> = history.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for shown in [first, second] {
        let is_shown = |price: &Value| price["price"].as_f64() == shown.as_f64();
        assert!(prices.iter().any(is_shown), "{shown} is no price");
    }
    server.assert_no_panic("ticker");
}
