//! Tests the documentation: its Python code is built, and its HTTP exchanges are sent to a server.

use crate::common::{Server, root, scratch};
use serde_json::Value;
use std::fs;

/// The code blocks of one language on a page, each with its first line number.
fn blocks(page: &str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line) {
            (None, fence) if fence == format!("```{language}") => open = Some((number + 1, String::new())),
            (Some(_), "```") => found.extend(open.take()),
            (Some((_, text)), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

/// The files that a page shows, such as "```html templates/page.html": their paths and contents.
fn files(page: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut is_open = false;
    for line in page.lines() {
        match (is_open, line) {
            (true, "```") => is_open = false,
            (true, line) => {
                let (_, text) = found.last_mut().expect("an open file");
                text.push_str(line);
                text.push('\n');
            }
            (false, line) => {
                if let Some(path) = line.strip_prefix("```html ") {
                    found.push((path.to_owned(), String::new()));
                    is_open = true;
                }
            }
        }
    }
    found
}

/// A request, and the response that a page promises: `GET /path`, headers, a body; then a status and JSON.
struct Exchange {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
    answer: Option<Value>,
}

fn exchange(text: &str) -> Exchange {
    let (request, answer) = text.split_once("\n\n").expect("a request, an empty line, an answer");
    let (start, rest) = request.split_once('\n').unwrap_or((request, ""));
    let (method, path) = start.split_once(' ').expect("a method and a path");
    let is_header =
        |line: &&str| line.split_once(": ").is_some_and(|(name, _)| !name.contains(['{', '"', '=']));
    let split = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut headers: Vec<_> = rest.lines().filter(is_header).filter_map(split).collect();
    let body: String = rest.lines().filter(|line| !is_header(line)).collect();
    if body.starts_with('{') {
        headers.push(("content-type".into(), "application/json".into()));
    }
    let (status, json) = answer.split_once('\n').unwrap_or((answer, ""));
    Exchange {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body,
        status: status.trim().parse().expect("a status"),
        answer: (!json.trim().is_empty()).then(|| serde_json::from_str(json).expect("an answer in JSON")),
    }
}

#[test]
fn pages_do_what_they_say() {
    let mut pages: Vec<_> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    // Pages for operators have no Python code.
    pages.retain(|page| fs::read_to_string(page).unwrap().contains("```python"));
    pages.sort();
    assert!(pages.len() >= 7, "{pages:?}");
    // One build for all pages: each page is an app mounted on its own path.
    let folder = scratch("docs");
    let mut main = "from bolt import BoltAPI\n\napi = BoltAPI()\n".to_owned();
    for (index, page) in pages.iter().enumerate() {
        let text = fs::read_to_string(page).unwrap();
        let python: Vec<_> = blocks(&text, "python").into_iter().map(|(_, block)| block).collect();
        fs::write(folder.join(format!("page{index}.py")), python.join("\n")).unwrap();
        for (path, text) in files(&text) {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        main += &format!("import page{index}\napi.mount('/page{index}', page{index}.api)\n");
    }
    fs::write(folder.join("app.py"), main).unwrap();
    fs::create_dir(folder.join("reports")).unwrap();
    fs::write(folder.join("reports/report.txt"), "a report").unwrap();
    let granted = format!("--files=/data={}", folder.join("reports").display());
    // Beside the app's folder, which a build copies.
    let written = format!("--write=/db={}", scratch("docs-db").display());
    let named = "--env=WORKSHOP_NAME=Corner shop";
    let flags: [&str; 7] = ["--workers", "1", "--log-format", "off", &granted, &written, named];
    let server = Server::start(&folder.join("app.py"), &flags);
    let mut count = 0;
    for (index, page) in pages.iter().enumerate() {
        let text = fs::read_to_string(page).unwrap();
        for (line, block) in blocks(&text, "http") {
            let wanted = exchange(&block);
            let headers: Vec<_> = wanted.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let path = format!("/page{index}{}", wanted.path);
            let reply = server.connect().send(&wanted.method, &path, &headers, wanted.body.as_bytes());
            let place = format!("{}:{line}: {}", page.display(), reply.text());
            assert_eq!(reply.status, wanted.status, "{place}");
            if let Some(answer) = wanted.answer {
                let said = reply.text().replace(&format!("/page{index}/"), "/");
                assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), answer, "{place}");
            }
            count += 1;
        }
    }
    assert!(count >= 25, "{count} exchanges");
}
