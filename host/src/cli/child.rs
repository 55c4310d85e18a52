//! The commands that the host starts itself: `prepare`, which builds an app within limits, and `confine`, which runs a tool.

use crate::builder::child::DONE;
use crate::builder::extensions::Extensions;
use crate::builder::from_source;
use crate::builder::prepare;
use crate::cli::child_args::{Confine, Prepare};
use crate::cli::steps::{Outcome, pool, say};
use crate::config::Config;
use crate::util::confinement;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Most bytes of a message. An app can say much about itself.
const MOST_SAID: usize = 16 * 1024;

/// Prepare an app, and print where its component is or what is wrong.
pub fn prepare(args: &Prepare, cache: &Path) -> Outcome {
    let outcome = confine(args, cache).and_then(|()| {
        let engine = pool(&Config { most_instances: 1, ..Config::default() })?;
        if args.runner {
            return from_source::runner(&Extensions::default(), None, (&engine, &args.limits.app), cache)
                .map(|(wasm, _)| wasm);
        }
        prepare::here(&args.source.origin(), &engine, &args.limits.app, cache).map_err(|refusal| refusal.text)
    });
    match outcome {
        Ok(wasm) => say(&format!("{DONE}{}", wasm.display())),
        Err(mut text) => {
            text.truncate(text.floor_char_boundary(MOST_SAID));
            say(&text);
            std::process::exit(1);
        }
    }
    Ok(())
}

fn confine(args: &Prepare, cache: &Path) -> Outcome {
    let failed = |e: std::io::Error| format!("the process of a build cannot be limited: {e}");
    confinement::end_with(args.parent).map_err(failed)?;
    if args.background {
        confinement::give_way();
    }
    let limits = &args.limits.app;
    confinement::limit(limits.build_memory as u64, limits.build_disk as u64).map_err(failed)?;
    confinement::write_only_below(&[cache], false)
}

/// Run a tool in place of this process.
pub fn exec(args: &Confine) -> Outcome {
    confinement::end_with(args.parent).map_err(|e| e.to_string())?;
    let folders: Vec<_> = args.write.iter().map(PathBuf::as_path).collect();
    if let (Some(memory), Some(disk)) = (args.memory, args.disk) {
        let failed = |e: std::io::Error| format!("the process of a tool cannot be limited: {e}");
        confinement::limit(memory, disk).map_err(failed)?;
    }
    confinement::write_only_below(&folders, args.connect)?;
    let (tool, words) = args.command.split_first().ok_or("there is no command")?;
    let failed = Command::new(tool).args(words).exec();
    Err(format!("{} cannot be started: {failed}", tool.display()))
}
