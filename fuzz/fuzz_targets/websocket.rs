//! The frames of a hostile client, cut anywhere.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bolt_host::internals::fuzz::websocket(data));
