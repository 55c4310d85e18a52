//! Replies of a hostile guest.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bolt_host::internals::fuzz::reply(data));
