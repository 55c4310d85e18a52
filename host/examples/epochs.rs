//! Measures the cost of epochs: the same calls into one instance, compiled with and without epoch interruption.
//!
//! cargo run --release --features internals --example epochs -- APP.wasm NAME…   (handlers without parameters, by name)

use bolt_host::internals::measure::{ROUND, ROUNDS, epochs};
use std::path::Path;

fn main() -> wasmtime::Result<()> {
    let mut words = std::env::args().skip(1);
    let wasm = words.next().ok_or_else(|| wasmtime::format_err!("usage: epochs APP.wasm NAME…"))?;
    let names: Vec<_> = words.collect();
    let cache = std::env::temp_dir().join("bolt-host-epochs");
    println!("handler: with epochs, without, ratio (medians of {ROUNDS} rounds of {ROUND:?}, in turn)");
    for (name, [with, without]) in names.iter().zip(epochs(Path::new(&wasm), &names, &cache)?) {
        println!("{name}: {with:.2} µs, {without:.2} µs, {:.3}", with / without);
    }
    Ok(())
}
