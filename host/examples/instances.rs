//! Measures the cost of a new instance and of its first call, for each named component.
//!
//! cargo run --release --features internals --example instances -- NAME APP.wasm…   (a handler without parameters)

use bolt_host::internals::measure::{Costs, TIMES, costs};
use std::path::Path;

fn main() -> wasmtime::Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().ok_or_else(|| wasmtime::format_err!("usage: instances NAME APP.wasm…"))?;
    let cache = std::env::temp_dir().join("bolt-host-instances");
    println!("medians of {TIMES}, in µs, including the pool's resets");
    for wasm in words {
        let Costs { instantiate, ready, called, compiled } = costs(Path::new(&wasm), &name, &cache)?;
        println!(
            "{wasm}: instantiate {instantiate:.0}, ready {ready:.0}, with a call {called:.0}; {compiled:.1} MB compiled"
        );
    }
    Ok(())
}
