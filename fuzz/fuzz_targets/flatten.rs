//! Hostile components: flattening does not panic, and what it makes of one is a component that is left the next time.
#![no_main]

use flatten::{Left, flatten};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(flat) = flatten(data, true) {
        match flatten(&flat, true) {
            Ok(twice) => assert_eq!(flat, twice),
            Err(left) => assert_eq!(left, Left::Flat),
        }
    }
});
