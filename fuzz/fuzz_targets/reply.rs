//! Replies of a hostile guest: no panic, and never more output than allowed.
#![no_main]

use bolt_host::reply::Body;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text: String = data.iter().map(|&byte| char::from(byte)).collect();
    let Ok(data) = bolt_host::reply::bytes(text) else { return };
    if let Ok(reply) = bolt_host::reply::decode(&data, 10_000) {
        match reply.body {
            Body::Bytes(bytes) => assert!(bytes.len() <= 10_000),
            Body::File(path) => assert!(path.len() <= 10_000),
        }
    }
});
