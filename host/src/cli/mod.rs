//! The command-line program: its arguments (`args`) and commands (`run`, and `fleet` for hosts of many apps).

mod args;
mod child;
mod child_args;
mod exec;
mod exec_args;
mod exec_output;
mod fleet;
mod grant_args;
mod inspect;
mod limit_args;
mod migrate;
mod orders;
mod parent;
mod probe;
mod run;
mod scaffold;
mod shutdown;
mod steps;
mod table;
mod wheel;

use crate::config::limit_name::{Reader, set_reader};
use crate::util::{cache_files, memory_trim, progress};
use args::{Cli, Command};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Parse the command line, run the command, and print its error. `trim` has the allocator return memory that the
/// calling thread does not need.
pub fn main(trim: fn()) -> ExitCode {
    memory_trim::set_trim(trim);
    let cli = Cli::parse();
    set_reader(match cli.command {
        Command::Serve(_) | Command::Check(_) => Reader::HostFile,
        Command::Prepare(ref args) => args.reader.into(),
        _ => Reader::CommandLine,
    });
    crate::builder::child::is_possible();
    let cache = match cli.command {
        // A tool has no variables, which the default folder is found by, and needs none.
        Command::Confine(_) => Ok(PathBuf::new()),
        _ => cli.cache(),
    };
    let outcome = cache.and_then(|cache| {
        if runs_from_cache(&cli.command) {
            usable(&cache)?;
        }
        command(&cli.command, &cache)
    });
    outcome.unwrap_or_else(|sentence| {
        progress::tell(format_args!("error: {sentence}"));
        ExitCode::FAILURE
    })
}

/// The error is a user-facing message.
fn command(command: &Command, cache: &Path) -> Result<ExitCode, String> {
    match command {
        Command::Run(args) => run::run(args, cache),
        Command::Dev(args) => run::dev(args, cache),
        Command::Build(args) => run::build(args, cache),
        Command::Inspect(args) => run::inspect(args, cache),
        Command::Openapi(args) => run::openapi(args, cache),
        Command::Serve(args) => fleet::serve(args, cache),
        Command::Check(args) => fleet::check(args, cache),
        Command::Deploy(args) => orders::deploy(args, cache),
        Command::Rollback(args) => orders::rollback(args, cache),
        Command::Versions(args) => orders::versions(args, cache),
        Command::Pin(args) => orders::pin(args, cache),
        Command::Unpin(args) => orders::unpin(args, cache),
        Command::Apps(args) => orders::apps(args, cache),
        Command::Migrate(args) => migrate::migrate(args),
        Command::New(args) => run::new(args),
        Command::Wheel(args) => wheel::wheel(args, cache),
        Command::Sdk => run::sdk(cache),
        Command::Prepare(args) => child::prepare(args, cache),
        Command::Confine(args) => child::exec(args),
        Command::Exec(args) => return exec::exec(args, cache),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Whether the command runs, or compiles, what it finds in the cache.
fn runs_from_cache(command: &Command) -> bool {
    !matches!(
        command,
        Command::Deploy(_)
            | Command::Rollback(_)
            | Command::Versions(_)
            | Command::Pin(_)
            | Command::Unpin(_)
            | Command::Apps(_)
            | Command::Migrate(_)
            | Command::New(_)
            | Command::Confine(_)
    )
}

/// Check that nobody else can put code into the cache. The error is a user-facing message.
fn usable(cache: &Path) -> Result<(), String> {
    let made = cache_files::private_folder(cache);
    made.map_err(|e| format!("the cache folder {} cannot be used: {e}", cache.display()))
}
