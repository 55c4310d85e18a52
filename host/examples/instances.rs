//! What a new instance costs, and what its first call does: the same for each component that is named.
//!
//! cargo run --release --example instances -- NAME APP.wasm…   (a handler without parameters)

use bolt_host::builder;
use bolt_host::component::Loaded;
use bolt_host::config::{AppConfig, Config};
use bolt_host::engine;
use bolt_host::guest::Instance;
use bolt_host::outbound::Outbound;
use bolt_host::store::GuestState;
use bolt_host::vitals::Vitals;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::{Result, format_err};

const TIMES: usize = 2000;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().ok_or_else(|| format_err!("usage: instances NAME APP.wasm…"))?;
    let cache = std::env::temp_dir().join("bolt-host-instances");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("medians of {TIMES}, in µs, the pool's resets included");
    for wasm in words {
        let config = AppConfig::default();
        let engine = engine::engine(&Config::default())?;
        let (artifact, manifest) = builder::compile(&engine, Path::new(&wasm), &cache, &config, false)
            .map_err(|sentence| format_err!("{sentence}"))?;
        let loaded = Loaded::open(&engine, &artifact, "instances", &config);
        let loaded = loaded.map_err(|sentence| format_err!("{sentence}"))?;
        let route = manifest.routes.iter().position(|route| route.name == name);
        let route = route.ok_or_else(|| format_err!("there is no handler {name}"))? as u32;
        let compiled = std::fs::metadata(&artifact.code)?.len() as f64 / 1e6;
        let (bare, ready, called) = runtime.block_on(measure(&loaded, route))?;
        println!(
            "{wasm}: instantiate {bare:.0}, ready {ready:.0}, with a call {called:.0}; {compiled:.1} MB compiled"
        );
    }
    Ok(())
}

/// An instance alone; with the once-only work of its start; and with a call as well.
async fn measure(loaded: &Loaded, route: u32) -> Result<(f64, f64, f64)> {
    let outbound = Outbound::new(Arc::default());
    let (mut bare, mut ready, mut called) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let start = Instant::now();
        let mut store = GuestState::store(loaded, Vitals::alone(), outbound.clone())?;
        let app = loaded.pre.instantiate_async(&mut store).await?;
        drop((app, store));
        bare.push(start.elapsed().as_secs_f64() * 1e6);
        let start = Instant::now();
        drop(Instance::new(loaded, Vitals::alone(), outbound.clone()).await?);
        ready.push(start.elapsed().as_secs_f64() * 1e6);
        let start = Instant::now();
        let mut instance = Instance::new(loaded, Vitals::alone(), outbound.clone()).await?;
        // A tuple of no arguments.
        let nothing = b")\0".to_vec();
        let call = async |guest: &_, app: &bolt_host::bindings::App| {
            app.bolt_host_handlers().call_call(guest, 1, route, nothing).await
        };
        instance.enter(call).await?;
        drop(instance);
        called.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok((median(bare), median(ready), median(called)))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
