//! Hostile components: flattening and splitting do not panic, and what is flattened is left the next time.
#![no_main]

use flatten::{Left, flatten, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = split(data);
    if let Ok(flat) = flatten(data, true) {
        let _ = split(&flat);
        match flatten(&flat, true) {
            Ok(twice) => assert_eq!(flat, twice),
            Err(left) => assert_eq!(left, Left::Flat),
        }
    }
});
