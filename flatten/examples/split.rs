//! `cargo run --release -p flatten --example split IN.wasm CODE.wasm REST.wasm`

#![allow(clippy::panic)]

fn main() {
    let mut words = std::env::args().skip(1);
    let (Some(input), Some(code), Some(rest)) = (words.next(), words.next(), words.next()) else {
        panic!("IN CODE REST")
    };
    let start = std::time::Instant::now();
    let bytes = std::fs::read(&input).unwrap_or_else(|e| panic!("{input}: {e}"));
    let split = flatten::split(&bytes).unwrap_or_else(|left| panic!("{left}"));
    println!(
        "{} -> {} and {} bytes in {:?}",
        bytes.len(),
        split.code.len(),
        split.rest.len(),
        start.elapsed()
    );
    std::fs::write(&code, split.code).unwrap_or_else(|e| panic!("{code}: {e}"));
    std::fs::write(&rest, split.rest).unwrap_or_else(|e| panic!("{rest}: {e}"));
}
