//! Steps that several commands share: the log, the pool of instances, serving until a signal.

use crate::admin::endpoint::{Admin, Endpoint};
use crate::admin::token_file::TokenFile;
use crate::apps::cache_keeper;
use crate::apps::registry::AppTable;
use crate::cli::args::ProcessArgs;
use crate::cli::parent;
use crate::cli::shutdown::Shutdown;
use crate::config::Config;
use crate::config::admin_address::Address;
use crate::config::broker::BrokerUrl;
use crate::http::server::Server;
use crate::quota::files;
use crate::sandbox::engine::{self, Engine};
use crate::telemetry::log_output;
use crate::telemetry::log_queue::LogGuard;
use crate::util::progress;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The error is a message for people.
pub type Outcome = Result<(), String>;

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Begin what every command that serves begins with: more open files, the log, and the watch over standard input. What is queued for the log is
/// written when the guard is dropped.
pub fn begin(args: &ProcessArgs) -> Result<LogGuard, String> {
    files::raise_limit();
    if args.exit_on_stdin_close {
        parent::watch_stdin();
    }
    log_output::start(args.log_format, args.log_filter.as_deref())
}

/// The engine with its instance pool.
pub fn pool(config: &Config) -> Result<Engine, String> {
    let mut engine = engine::engine(config).map_err(|e| {
        format!("the instance pool cannot be created: {e:#}; lower --instances, --workers or --memory")
    })?;
    if let Some(url) = &config.topics {
        share_topics(&mut engine, url)?;
    }
    Ok(engine)
}

#[cfg(feature = "redis")]
fn share_topics(engine: &mut Engine, url: &BrokerUrl) -> Outcome {
    engine.share_topics(url)
}

#[cfg(not(feature = "redis"))]
fn share_topics(_: &mut Engine, _: &BrokerUrl) -> Outcome {
    Err("--topics needs a program with the cargo feature `redis`".to_owned())
}

/// Serve until the process is asked to end, then drain.
pub fn serve(config: &Config, apps: AppTable, cache: &Path) -> Outcome {
    let shutdown = Shutdown::watch(config.limits.drain)?;
    let server = Server::start(config, &apps)?;
    cache_keeper::keep(apps.clone(), cache.to_owned(), config.limits.cache_size as u64)?;
    let draining = Arc::<AtomicBool>::default();
    let admin = Admin { apps, draining: draining.clone() };
    let token = start_admin(config, admin, cache)?;
    for address in &server.addresses {
        say(&format!("listening on http://{address}\n"));
    }
    shutdown.begun()?;
    draining.store(true, Ordering::Relaxed);
    server.stop();
    // Only now: whoever reads this may have stopped reading.
    progress::tell("draining: requests in flight may finish; a second signal ends them");
    server.stopped();
    drop(token);
    Ok(())
}

/// Start the admin endpoint, if there is one. Returns the token that was made for it.
fn start_admin(config: &Config, admin: Admin, cache: &Path) -> Result<Option<TokenFile>, String> {
    let Some(address) = &config.admin else { return Ok(None) };
    let endpoint = Endpoint::bind(address)?;
    say(&format!("admin endpoint on {}\n", endpoint.address));
    let mut access = config.admin_access.clone();
    let made = match (&endpoint.address, &access.token) {
        (Address::Tcp(address), None) => {
            let kept = TokenFile::create(cache, *address);
            Some(kept.map_err(|e| {
                format!("the admin token cannot be stored: {e}; give one with --admin-token-file")
            })?)
        }
        _ => None,
    };
    if let Some(made) = &made {
        let (token, file) = (made.token().as_str(), made.path.display());
        say(&format!(
            "admin token {token}\n  also in {file}, where bolt-host deploy, rollback and apps find it; \
             other programs send it as Authorization: Bearer TOKEN\n"
        ));
        access.token = Some(made.token().clone());
    }
    endpoint.start(admin, access)?;
    Ok(made)
}

/// Print. The reader may stop reading, as `head` does; that is not an error.
pub fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
