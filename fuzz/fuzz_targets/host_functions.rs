//! Host functions, called by a hostile guest in a random sequence.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bolt_host::internals::fuzz::host_functions(data));
