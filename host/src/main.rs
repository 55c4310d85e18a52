//! The program: parse, run the chosen command, tell what went wrong.

use bolt_host::cli::{Cli, Command};
use bolt_host::{commands, progress, rest, tenancy};
use clap::Parser;
use std::process::ExitCode;

/// Requests allocate and free many small pieces on every worker: measured against the system's allocator, see
/// `benches/runs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Have the allocator give back what this thread, and the process, do not need.
#[allow(unsafe_code)]
fn give_back() {
    // SAFETY: it may be called at any time, in any thread.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

fn main() -> ExitCode {
    // The allocator asks for pages of 2 MiB where the system leaves it to programs. To clear one of them took 8 to 17 ms, in
    // one of ten first answers of an app, and most of it stayed empty.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    rest::give_back_by(give_back);
    let cli = Cli::parse();
    let outcome = cli.cache().and_then(|cache| match &cli.command {
        Command::Run(args) => commands::run(args, &cache),
        Command::Dev(args) => commands::dev(args, &cache),
        Command::Build(args) => commands::build(args, &cache),
        Command::Inspect(args) => commands::inspect(args, &cache),
        Command::Openapi(args) => commands::openapi(args, &cache),
        Command::Serve(args) => tenancy::serve(args, &cache),
        Command::Check(args) => tenancy::check(args, &cache),
        Command::Deploy(args) => tenancy::deploy(args),
        Command::Rollback(args) => tenancy::rollback(args),
        Command::Apps(args) => tenancy::apps(args),
        Command::New(args) => commands::new(args),
        Command::Sdk => commands::sdk(&cache),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            progress::tell(format_args!("error: {sentence}"));
            ExitCode::FAILURE
        }
    }
}
