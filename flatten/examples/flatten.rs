//! `cargo run --release -p flatten --example flatten IN.wasm OUT.wasm`

#![allow(clippy::panic)]

fn main() {
    let mut words = std::env::args().skip(1);
    let (Some(input), Some(output)) = (words.next(), words.next()) else { panic!("IN OUT") };
    let start = std::time::Instant::now();
    let bytes = std::fs::read(&input).unwrap_or_else(|e| panic!("{input}: {e}"));
    let flat = flatten::flatten(&bytes, true).unwrap_or_else(|left| panic!("{left}"));
    println!("{} -> {} bytes in {:?}", bytes.len(), flat.len(), start.elapsed());
    std::fs::write(&output, flat).unwrap_or_else(|e| panic!("{output}: {e}"));
}
