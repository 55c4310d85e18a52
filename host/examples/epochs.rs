//! What epochs cost: the same calls into one instance, compiled with the interruptions and without them.
//!
//! cargo run --release --example epochs -- APP.wasm NAME…   (handlers without parameters, by name)

use bolt_host::builder;
use bolt_host::component::Loaded;
use bolt_host::config::AppConfig;
use bolt_host::engine::{self, Engine};
use bolt_host::grants::Grants;
use bolt_host::guest::Instance;
use bolt_host::manifest::Route;
use bolt_host::outbound::Outbound;
use bolt_host::vitals::Vitals;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::{Result, format_err};

const ROUNDS: usize = 21;
const ROUND: Duration = Duration::from_millis(200);

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let usage = "usage: epochs APP.wasm NAME…";
    let wasm = words.next().ok_or_else(|| format_err!(usage))?;
    let cache = std::env::temp_dir().join("bolt-host-epochs");
    let mut components = Vec::new();
    let mut routes = Vec::new();
    for epochs in [true, false] {
        let mut settings = engine::settings();
        settings.epoch_interruption(epochs);
        let engine = Engine::ticking(wasmtime::Engine::new(&settings)?)?;
        let config = AppConfig::default();
        let (artifact, manifest) = builder::compile(&engine, Path::new(&wasm), &cache, &config, false)
            .map_err(|sentence| format_err!("{sentence}"))?;
        let loaded = Loaded::open(&engine, &artifact, "epochs", &config);
        components.push(loaded.map_err(|sentence| format_err!("{sentence}"))?);
        routes = manifest.routes;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(compare(&components, &routes, words))
}

async fn compare(components: &[Loaded], routes: &[Route], names: impl Iterator<Item = String>) -> Result<()> {
    let mut instances = Vec::new();
    for loaded in components {
        let outbound = Outbound::new(Arc::new(Grants::default()));
        instances.push(Instance::new(loaded, Vitals::alone(), outbound).await?);
    }
    println!("handler: with epochs, without, ratio (medians of {ROUNDS} rounds of {ROUND:?}, in turn)");
    for name in names {
        let route = routes.iter().position(|route| route.name == name);
        let route = route.ok_or_else(|| format_err!("there is no handler {name}"))? as u32;
        let mut found = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (instance, times) in instances.iter_mut().zip(&mut found) {
                times.push(round(instance, route).await?);
            }
        }
        let [with, without] = found.map(median);
        println!("{name}: {with:.2} µs, {without:.2} µs, {:.3}", with / without);
    }
    Ok(())
}

/// Microseconds of a call, over one round of them.
async fn round(instance: &mut Instance, route: u32) -> Result<f64> {
    instance
        .enter(async |guest, app| {
            let (start, mut calls) = (Instant::now(), 0u32);
            while start.elapsed() < ROUND {
                // A tuple of no arguments.
                app.bolt_host_handlers().call_call(guest, 1, route, b")\0".to_vec()).await?;
                calls += 1;
            }
            Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
        })
        .await
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
