//! The command-line program: its arguments (`args`) and commands (`run`, and `fleet` for hosts of many apps).

mod args;
mod fleet;
mod inspect;
mod limit_args;
mod parent;
mod probe;
mod run;
mod scaffold;
mod steps;

use crate::config::limit_name::{Reader, set_reader};
use crate::util::{memory_trim, progress};
use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

/// Parse the command line, run the command, and print its error. `trim` has the allocator return memory that the
/// calling thread does not need.
pub fn main(trim: fn()) -> ExitCode {
    memory_trim::set_trim(trim);
    let cli = Cli::parse();
    set_reader(match cli.command {
        Command::Serve(_) | Command::Check(_) => Reader::HostFile,
        _ => Reader::CommandLine,
    });
    let outcome = cli.cache().and_then(|cache| match &cli.command {
        Command::Run(args) => run::run(args, &cache),
        Command::Dev(args) => run::dev(args, &cache),
        Command::Build(args) => run::build(args, &cache),
        Command::Inspect(args) => run::inspect(args, &cache),
        Command::Openapi(args) => run::openapi(args, &cache),
        Command::Serve(args) => fleet::serve(args, &cache),
        Command::Check(args) => fleet::check(args, &cache),
        Command::Deploy(args) => fleet::deploy(args, &cache),
        Command::Rollback(args) => fleet::rollback(args, &cache),
        Command::Apps(args) => fleet::apps(args, &cache),
        Command::New(args) => run::new(args),
        Command::Sdk => run::sdk(&cache),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            progress::tell(format_args!("error: {sentence}"));
            ExitCode::FAILURE
        }
    }
}
