//! Replies of a hostile guest: no panic, and never more output than allowed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text: String = data.iter().map(|&byte| char::from(byte)).collect();
    if let Ok(reply) = bolt_host::reply::decode(text, 10_000) {
        assert!(reply.body.len() <= 10_000);
    }
});
