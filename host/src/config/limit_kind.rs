//! How the value of a limit is written, on the command line and in a host file.

use crate::config::units;
use std::time::Duration;

/// How a limit is written. All values are stored as integers: milliseconds, bytes or counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `30s`
    Time,
    /// A number of milliseconds on the command line, `500ms` in a host file.
    Millis,
    /// `1MiB`
    Size,
    /// The same, of a disk.
    DiskSize,
    Count {
        least: u64,
        most: u64,
    },
}

impl Kind {
    /// Parse a value of the command line. Errors are sentences for people.
    pub fn parse(self, text: &str) -> Result<u64, String> {
        let number = || text.parse::<u64>().map_err(|_| format!("{text:?} is not a whole number"));
        match self {
            Self::Time => units::duration(text).map(|time| time.as_millis() as u64),
            Self::Size => units::size(text).map(|bytes| bytes as u64),
            Self::DiskSize => units::disk_size(text).map(|bytes| bytes as u64),
            Self::Millis => within(number()?, 1, u64::MAX),
            Self::Count { least, most } => within(number()?, least, most),
        }
    }

    /// Parse a string of a host file; counts must be numbers there. Errors are sentences for people.
    pub fn of_text(self, text: &str) -> Result<u64, String> {
        match self {
            Self::Millis => Self::Time.parse(text),
            Self::Count { .. } => Err(format!("{}, not {text:?}", self.expected())),
            kind => kind.parse(text),
        }
    }

    pub fn of_number(self, number: i64) -> Result<u64, String> {
        match (self, u64::try_from(number)) {
            (Self::Count { least, most }, Ok(number)) => within(number, least, most),
            (Self::Count { .. }, Err(_)) => Err(format!("{number} is below 0")),
            (kind, _) => Err(kind.expected().to_owned()),
        }
    }

    pub fn show(self, value: u64) -> String {
        match self {
            Self::Time => units::show_duration(Duration::from_millis(value)),
            Self::Size | Self::DiskSize => units::show_size(value),
            Self::Millis | Self::Count { .. } => value.to_string(),
        }
    }

    /// What a host file has to say, as the beginning of a sentence.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Time | Self::Millis => "a time is a string, like \"30s\"",
            Self::Size | Self::DiskSize => "a size is a string, like \"1MiB\"",
            Self::Count { .. } => "a count is a whole number, like 100",
        }
    }

    /// The placeholder of a value in `--help`.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Time => "TIME",
            Self::Millis => "MS",
            Self::Size | Self::DiskSize => "SIZE",
            Self::Count { .. } => "N",
        }
    }
}

fn within(number: u64, least: u64, most: u64) -> Result<u64, String> {
    if (least..=most).contains(&number) {
        Ok(number)
    } else if most == u64::MAX {
        Err(format!("{number} is below {least}"))
    } else {
        Err(format!("{number} is not between {least} and {most}"))
    }
}
