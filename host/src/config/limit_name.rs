//! What a limit is called where a person reads of it: whoever runs one app knows flags, whoever writes a host file knows its
//! keys, and whoever embeds the host knows fields.

use crate::config::limit_table::{Limit, Place};
use std::sync::atomic::{AtomicU8, Ordering};

/// Who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reader {
    /// Of a program that embeds the host.
    Developer,
    /// Of `run` and `dev`.
    CommandLine,
    /// Of `serve`.
    HostFile,
}

static READER: AtomicU8 = AtomicU8::new(Reader::Developer as u8);

/// From now on this is the reader. The program says so when it starts.
pub fn set_reader(reader: Reader) {
    READER.store(reader as u8, Ordering::Relaxed);
}

/// The limit as the reader knows it: `--max-body`, `body in [limits]`, or `Limits::max_body`.
pub fn of(limit: Limit) -> String {
    let reader = READER.load(Ordering::Relaxed);
    let reader = [Reader::Developer, Reader::CommandLine, Reader::HostFile][usize::from(reader)];
    named(limit, reader)
}

/// As the host file has it where the reader has one; otherwise as a flag: `http.allow`, `--allow-http`.
pub fn grant(flag: &str, key: &str) -> String {
    if READER.load(Ordering::Relaxed) == Reader::HostFile as u8 { key.to_owned() } else { flag.to_owned() }
}

fn named(limit: Limit, reader: Reader) -> String {
    let row = limit.row();
    match (reader, &row.place) {
        (Reader::CommandLine, _) => format!("--{}", row.flag),
        (Reader::HostFile, Place::App { .. }) => format!("{} in [limits]", row.key),
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
            ["--max-body", "body in [limits]", "Limits::max_body"]
        );
        assert_eq!(
            all.map(|r| named(Limit::MaxCpu, r)),
            ["--max-cpu-ms", "cpu in [limits]", "Limits::max_cpu"]
        );
        assert_eq!(named(Limit::Drain, Reader::HostFile), "drain in [server]");
    }
}
