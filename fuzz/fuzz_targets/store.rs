//! Commands of a hostile guest for a store of keys, beside a map.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bolt_host::internals::fuzz::store(data));
