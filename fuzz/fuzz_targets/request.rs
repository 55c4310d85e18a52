//! Paths, queries and bodies of a hostile client, against every kind of type.
#![no_main]

use bolt_host::internals::fuzz::App;
use std::sync::LazyLock;

static APP: LazyLock<App> =
    LazyLock::new(|| App::new(include_str!("../manifest.json")).expect("the manifest is valid"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| APP.request(data));
