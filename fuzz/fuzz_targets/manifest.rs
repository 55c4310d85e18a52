//! Manifests of a hostile component: no panic.
#![no_main]

use bolt_host::manifest::Manifest;
use bolt_host::route::Router;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(manifest) = Manifest::parse(text)
    {
        let _ = Router::new(&manifest);
    }
});
