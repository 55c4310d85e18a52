//! The flags of all limits, generated from their table.

use crate::config::limit_table::{Kind, Limit, Place, Row, TABLE};
use crate::config::limits::{Limits, ServerLimits};
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

/// The limits that the flags set, and defaults for the others.
#[derive(Debug, Clone, Default)]
pub struct LimitArgs {
    pub app: Limits,
    pub server: ServerLimits,
}

impl LimitArgs {
    fn update(&mut self, matches: &ArgMatches, rows: impl Iterator<Item = &'static Row>) {
        for row in rows {
            let Some(&value) = matches.get_one::<u64>(row.flag) else { continue };
            match row.place {
                Place::App { set, .. } => set(&mut self.app, value),
                Place::Server { set, .. } => set(&mut self.server, value),
            }
        }
    }
}

impl FromArgMatches for LimitArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.update(matches, TABLE.iter());
        Ok(())
    }
}

impl Args for LimitArgs {
    fn augment_args(command: Command) -> Command {
        command.next_help_heading("Limits").args(TABLE.iter().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The limits that commands have which build and do not serve.
#[derive(Debug, Clone, Default)]
pub struct BuildLimitArgs {
    pub app: Limits,
}

fn of_builds() -> impl Iterator<Item = &'static Row> {
    let limits = [Limit::Deadline, Limit::Memory, Limit::BuildTimeout, Limit::BuildMemory, Limit::BuildDisk];
    limits.into_iter().map(Limit::row)
}

impl FromArgMatches for BuildLimitArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let mut all = LimitArgs { app: self.app.clone(), ..LimitArgs::default() };
        all.update(matches, of_builds());
        self.app = all.app;
        Ok(())
    }
}

impl Args for BuildLimitArgs {
    fn augment_args(command: Command) -> Command {
        command.next_help_heading("Limits").args(of_builds().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(row: &Row) -> Arg {
    let kind: Kind = row.kind;
    let arg = Arg::new(row.flag).long(row.flag).value_name(kind.placeholder());
    let arg = arg.value_parser(move |text: &str| kind.parse(text));
    match row.default() {
        Some(default) => arg.help(row.help).default_value(kind.show(default)),
        None => arg.help(format!("{} [default: no limit]", row.help)),
    }
}
