//! Paths, queries and bodies of a hostile client, against every kind of type: no panic.
//!
//! The input is three lines: path, query, and the rest as the body.
#![no_main]

use bolt_host::manifest::{Manifest, Method};
use bolt_host::params::{Input, validate};
use bolt_host::route::Router;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static APP: LazyLock<(Manifest, Router)> = LazyLock::new(|| {
    let manifest = Manifest::parse(include_str!("../manifest.json")).expect("the manifest is valid");
    let router = Router::new(&manifest).expect("its routes are");
    (manifest, router)
});

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |&byte| byte == b'\n');
    let (Some(path), Some(query), Some(body)) = (parts.next(), parts.next(), parts.next()) else { return };
    let (Ok(path), Ok(query)) = (std::str::from_utf8(path), std::str::from_utf8(query)) else { return };
    let (manifest, router) = &*APP;
    if let Ok(found) = router.find(Some(Method::Post), path) {
        let _ = validate(manifest, router, &found, Input { query: Some(query), body, is_json: true, ..Input::default() });
    }
});
