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

/// The limits of a command that runs in an app's sandbox.
#[derive(Debug, Clone, Default)]
pub struct CommandLimitArgs {
    pub app: Limits,
}

/// How long a command may take. Its output is a stream, which may last as long.
const COMMAND: &str = "1d";

fn of_commands() -> impl Iterator<Item = &'static Row> {
    let is_same = |row: &&Row| matches!(row.limit, Limit::StreamIdle | Limit::StreamMax);
    TABLE.iter().filter(move |row| matches!(row.place, Place::App { .. }) && !is_same(row))
}

/// Some of the limits of apps, and the flags of those that have other defaults.
macro_rules! limits_of_apps {
    ($name:ident, $rows:ident, $flag:expr) => {
        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
                let mut args = Self::default();
                args.update_from_arg_matches(matches)?;
                Ok(args)
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
                let mut all = LimitArgs { app: self.app.clone(), ..LimitArgs::default() };
                all.update(matches, $rows());
                self.app = all.app;
                Ok(())
            }
        }

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                command.next_help_heading("Limits").args($rows().map($flag))
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }
    };
}

limits_of_apps!(BuildLimitArgs, of_builds, flag);
limits_of_apps!(CommandLimitArgs, of_commands, |row| match row.limit {
    Limit::Deadline => flag(row).help("End the command after this time").default_value(COMMAND),
    _ => flag(row),
});

fn flag(row: &Row) -> Arg {
    let kind: Kind = row.kind;
    let arg = Arg::new(row.flag).long(row.flag).value_name(kind.placeholder());
    let arg = arg.value_parser(move |text: &str| kind.parse(text));
    match row.default() {
        Some(default) => arg.help(row.help).default_value(kind.show(default)),
        None => arg.help(format!("{} [default: no limit]", row.help)),
    }
}
