//! Names of limits in messages: flags for those who run one app, keys for those who write a host file, and fields for
//! those who embed the host.

use crate::config::limit_table::{Limit, Place};
use std::sync::atomic::{AtomicU8, Ordering};

/// Who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reader {
    /// The developer of a program that embeds the host.
    Developer,
    /// The user of `run` or `dev`.
    CommandLine,
    /// The operator of `serve`.
    HostFile,
}

static READER: AtomicU8 = AtomicU8::new(Reader::Developer as u8);

/// Set the reader. The program does this when it starts.
pub fn set_reader(reader: Reader) {
    READER.store(reader as u8, Ordering::Relaxed);
}

/// The limit's name for the reader: `--max-body`, `body in [app.NAME.limits]`, or `Limits::max_body`.
pub fn of(limit: Limit) -> String {
    named(limit, reader())
}

/// What grants an app something, as the reader writes it: `--files`, `[app.NAME.files]` or `AppConfig::preopens`.
pub fn pick(flag: &str, key: &str, field: &str) -> String {
    match reader() {
        Reader::CommandLine => flag.to_owned(),
        Reader::HostFile => key.to_owned(),
        Reader::Developer => field.to_owned(),
    }
}

/// Who reads the log.
pub fn reader() -> Reader {
    let all = [Reader::Developer, Reader::CommandLine, Reader::HostFile];
    all[usize::from(READER.load(Ordering::Relaxed))]
}

fn named(limit: Limit, reader: Reader) -> String {
    let row = limit.row();
    match (reader, &row.place) {
        (Reader::CommandLine, _) => format!("--{}", row.flag),
        (Reader::HostFile, Place::App { .. }) => format!("{} in [app.NAME.limits]", row.key),
        (Reader::HostFile, Place::Server { .. }) => format!("{} in [server]", row.key),
        (Reader::Developer, _) => format!("Limits::{}", row.flag.trim_end_matches("-ms").replace('-', "_")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reader_is_told_a_name_that_is_theirs() {
        let all = [Reader::CommandLine, Reader::HostFile, Reader::Developer];
        assert_eq!(
            all.map(|r| named(Limit::MaxBody, r)),
            ["--max-body", "body in [app.NAME.limits]", "Limits::max_body"]
        );
        assert_eq!(
            all.map(|r| named(Limit::MaxCpu, r)),
            ["--max-cpu-ms", "cpu in [app.NAME.limits]", "Limits::max_cpu"]
        );
        assert_eq!(named(Limit::Drain, Reader::HostFile), "drain in [server]");
    }
}
