//! `bolt-host exec`: runs a command of an app in its sandbox, with its packages, databases, stores and files.
//!
//! The runner that loads apps from source loads an app of the SDK in place of theirs, and gets one request: the command. The response is
//! what the command writes.

use crate::apps::app::App;
use crate::apps::registry::AppTable;
use crate::apps::slot::Slot;
use crate::apps::source_runner::{PackageImports, Runner};
use crate::apps::worker_apps::WorkerApps;
use crate::cli::exec_args::Exec;
use crate::cli::exec_output::Output;
use crate::cli::steps::pool;
use crate::config::Config;
use crate::config::app_source::AppRef;
use crate::http::head::Peer;
use crate::http::pipeline;
use crate::quota::files;
use crate::telemetry::log_output::{self, LogFormat};
use crate::util::blocking::block_on;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::header::{CONTENT_TYPE, HOST};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The SDK's app that runs commands.
const MODULE: &str = "bolt._command.app";
const ATTRIBUTE: &str = "api";

/// Run the command, and return its exit code. The error is a user-facing message.
pub fn exec(args: &Exec, cache: &Path) -> Result<ExitCode, String> {
    let mut origin = args.app.origin();
    if !origin.is_python() {
        return Err(format!("{}: exec runs commands of an app from its source", origin.path.display()));
    }
    let mut limits = args.limits.app.clone();
    (limits.stream_idle, limits.stream_max) = (limits.deadline, limits.deadline);
    let app_config = args.grants.app_config(&origin.path, &limits)?;
    origin.left_out = app_config.places();
    let name = origin.app_ref()?.module;
    files::raise_limit();
    // What the app logs, and whatever is wrong. What it writes is no part of the log.
    let log = log_output::start(LogFormat::Off, Some("warn"))?;
    let engine = pool(&Config { most_instances: 1, topics: args.topics.clone(), ..Config::default() })?;
    let runner = Runner::ready(&engine, &name, &app_config, cache, PackageImports::EarlyIfBuilt)?;
    let code = block_on(async {
        let app = runner.app_of(&origin).await?;
        let app = AppRef { module: MODULE.to_owned(), attribute: ATTRIBUTE.to_owned(), ..app };
        run(&name, runner.load(&app, true).await?, &args.command).await
    })?;
    drop(log);
    code
}

async fn run(name: &str, app: App, command: &[String]) -> Result<ExitCode, String> {
    let apps = AppTable::of_one(Arc::new(Slot::new(name, app))).open_worker().await?;
    tokio::spawn(maintain(apps.clone()));
    let body = serde_json::to_vec(command).map_err(|e| e.to_string())?;
    let request = Request::post("/").header(HOST, "localhost").header(CONTENT_TYPE, "application/json");
    let request = request.body(Full::new(Bytes::from(body))).map_err(|e| e.to_string())?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let response =
        pipeline::handle(&apps, Peer { address, is_secure: false, is_ambiguous: false }, request).await;
    let (head, mut body) = response.into_parts();
    if head.status != 200 {
        let said = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        return Err(format!("the command cannot be run: {} {}", head.status, String::from_utf8_lossy(&said)));
    }
    let mut output = Output::default();
    while let Some(frame) = body.frame().await {
        // Its end is in the log.
        let frame = frame.map_err(|_| "the command was ended".to_owned())?;
        if let Ok(data) = frame.into_data() {
            output.take(&data)?;
        }
    }
    output.code().map(ExitCode::from).ok_or_else(|| "the command was ended".to_owned())
}

/// As a worker does once a second.
async fn maintain(apps: Arc<WorkerApps>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        apps.tick();
    }
}
