//! The commands that ask a running host: `apps`, `deploy`, `rollback`, `versions`, `pin` and `unpin`.

use crate::cli::args::{AppOf, Apps, Deploy, Operate, Rollback, Versions};
use crate::cli::steps::say;
use crate::cli::table::table;
use crate::util::blocking::block_on;
use hyper::Method;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Send a component to a running host.
pub fn deploy(args: &Deploy, cache: &Path) -> Result<(), String> {
    let bytes = std::fs::read(&args.file).map_err(|e| format!("{}: {e}", args.file.display()))?;
    let path = format!("/apps/{}/deploy", args.app);
    let host = args.operate.client(cache)?;
    // The host does not know the name of the file.
    let refused = format!("{} stays as it is: ", args.app);
    let named = |why: String| match why.strip_prefix(&refused) {
        Some(why) => format!("{refused}{}: {why}", args.file.display()),
        None => why,
    };
    say(&(block_on(host.ask(Method::POST, &path, bytes))?.map_err(named)? + "\n"));
    Ok(())
}

/// Roll an app of a running host back.
pub fn rollback(args: &Rollback, cache: &Path) -> Result<(), String> {
    order(&args.operate, cache, &args.app, &with_version("rollback", args))
}

pub fn pin(args: &Rollback, cache: &Path) -> Result<(), String> {
    order(&args.operate, cache, &args.app, &with_version("pin", args))
}

pub fn unpin(args: &AppOf, cache: &Path) -> Result<(), String> {
    order(&args.operate, cache, &args.app, "unpin")
}

/// List the deployed versions of an app, or remove old ones.
pub fn versions(args: &Versions, cache: &Path) -> Result<(), String> {
    let AppOf { app, operate } = &args.of;
    if let Some(keep) = args.prune {
        return order(operate, cache, app, &format!("prune?keep={keep}"));
    }
    let text = asked(operate, cache, &format!("/apps/{app}/versions"))?;
    if args.json {
        say(&(text + "\n"));
        return Ok(());
    }
    let found: Value = serde_json::from_str(&text).map_err(|e| format!("the host answered {text:?}: {e}"))?;
    say(&version_table(&found));
    Ok(())
}

/// List the apps of a running host.
pub fn apps(args: &Apps, cache: &Path) -> Result<(), String> {
    let text = asked(&args.operate, cache, "/apps")?;
    if args.json {
        say(&(text + "\n"));
        return Ok(());
    }
    let found: Value = serde_json::from_str(&text).map_err(|e| format!("the host answered {text:?}: {e}"))?;
    say(&app_table(&found));
    Ok(())
}

fn asked(operate: &Operate, cache: &Path, path: &str) -> Result<String, String> {
    block_on(operate.client(cache)?.ask(Method::GET, path, Vec::new()))?
}

fn order(operate: &Operate, cache: &Path, app: &str, order: &str) -> Result<(), String> {
    let path = format!("/apps/{app}/{order}");
    say(&(block_on(operate.client(cache)?.ask(Method::POST, &path, Vec::new()))?? + "\n"));
    Ok(())
}

fn with_version(order: &str, args: &Rollback) -> String {
    match &args.version {
        Some(version) => format!("{order}?version={version}"),
        None => order.to_owned(),
    }
}

fn version_table(found: &Value) -> String {
    let is_pinned = found["pinned"] == true;
    let served = if is_pinned { "served, pinned" } else { "served" };
    let is_file = found["file_is_served"] == true;
    let mut rows = vec![["version", "deployed", "in place of", ""].map(str::to_owned)];
    let file = if is_file { text(&found["served"]) } else { String::new() };
    let mark = |is: bool| if is { served.to_owned() } else { String::new() };
    rows.push(["file".to_owned(), String::new(), file, mark(is_file)]);
    for version in found["deployed"].as_array().into_iter().flatten() {
        let before = version["replaced"].as_str().unwrap_or("file").to_owned();
        let when = version["deployed"].as_u64().map_or_else(String::new, ago);
        rows.push([text(&version["version"]), when, before, mark(version["served"] == true)]);
    }
    table(&rows)
}

fn app_table(found: &Value) -> String {
    let head = ["app", "state", "version", "since", "instances", "in flight", "queued", "at"];
    let mut rows = vec![head.map(str::to_owned)];
    let mut problems = String::new();
    for app in found["apps"].as_array().into_iter().flatten() {
        let hosts: Vec<_> = app["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let prefix = app["prefix"].as_str().unwrap_or("/");
        let place = if hosts.is_empty() { prefix.to_owned() } else { hosts.join(", ") + prefix };
        let since = app["since"].as_u64().map_or_else(String::new, ago);
        let state = match (app["state"].as_str().unwrap_or("ready"), app["problem"].is_string()) {
            ("ready", true) => "old version",
            (state, _) => state,
        };
        let name = text(&app["app"]);
        rows.push([
            name.clone(),
            state.to_owned(),
            text(&app["version"]),
            since,
            text(&app["instances"]),
            text(&app["in_flight"]),
            text(&app["queued"]),
            place,
        ]);
        if let Some(problem) = app["problem"].as_str() {
            problems += &format!("\n{name}: {problem}\n");
        }
    }
    table(&rows) + &problems
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// How long ago a moment was, in seconds since the epoch.
fn ago(seconds: u64) -> String {
    let then = UNIX_EPOCH + Duration::from_secs(seconds);
    match SystemTime::now().duration_since(then).map_or(0, |since| since.as_secs()) {
        since @ 0..60 => format!("{since} s ago"),
        since @ 60..3600 => format!("{} min ago", since / 60),
        since @ 3600..172_800 => format!("{} h ago", since / 3600),
        since => format!("{} days ago", since / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_host_says_becomes_tables() {
        let apps = app_table(&json!({"apps": [
            {"app": "shop", "state": "ready", "version": "0123456789ab", "problem": null, "since": null,
                "instances": 2, "in_flight": 1, "queued": 0, "hosts": ["a.example", "b.example"], "prefix": "/x/"},
            {"app": "b", "state": "ready", "version": "ba9876543210", "problem": "no module x", "since": null,
                "instances": 0, "in_flight": 0, "queued": 0, "hosts": [], "prefix": "/"},
        ]}));
        let lines: Vec<_> = apps.lines().collect();
        assert_eq!(lines[0].split_whitespace().next(), Some("app"));
        assert!(lines[1].contains("0123456789ab") && lines[1].ends_with("a.example, b.example/x/"), "{apps}");
        assert!(lines[2].contains("old version") && lines[4] == "b: no module x", "{apps}");
        let versions = version_table(&json!({"app": "shop", "served": "bb", "pinned": true,
            "file_is_served": false, "deployed": [
                {"version": "aa", "deployed": 1, "served": false, "replaced": null},
                {"version": "bb", "deployed": 1, "served": true, "replaced": "aa"},
        ]}));
        let lines: Vec<_> = versions.lines().collect();
        assert!(lines[2].contains("days ago") && lines[2].contains("file"), "{versions}");
        assert!(lines[3].contains("aa") && lines[3].ends_with("served, pinned"), "{versions}");
    }
}
