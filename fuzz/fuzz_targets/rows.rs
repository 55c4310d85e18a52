//! Requests of a hostile client for the rows of a table.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bolt_host::internals::fuzz::rows(data));
