//! Manifests of a hostile component.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bolt_host::internals::fuzz::manifest(data));
