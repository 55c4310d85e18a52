//! Measures the cost of a new instance, of its first call, and of epochs.

use crate::builder::compiler;
use crate::config::{AppConfig, Config};
use crate::manifest::Route;
use crate::sandbox::bindings;
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::engine::{self, Engine};
use crate::sandbox::execution::Execution;
use crate::sandbox::host_state::HostState;
use crate::sandbox::http_client::HttpClient;
use crate::sandbox::instance::Instance;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::Accessor;
use wasmtime::{Result, format_err};

/// Number of instances per measurement.
pub const TIMES: usize = 2000;

/// Medians over many instances, in microseconds, including the pool's resets.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    /// To instantiate and drop.
    pub instantiate: f64,
    /// The same, with the one-time work of an interpreter's start.
    pub ready: f64,
    /// The same, with a call.
    pub called: f64,
    /// Size of the component's own compiled code, without shared code, in MB.
    pub compiled: f64,
}

/// The component to measure.
struct Subject {
    artifact: Artifact,
    routes: Vec<Route>,
    component: LoadedComponent,
}

impl Subject {
    fn open(engine: &Engine, wasm: &Path, cache: &Path) -> Result<Self> {
        let config = AppConfig::default();
        let (artifact, manifest) = compiler::compile(engine, wasm, cache, &config, false)
            .map_err(|sentence| format_err!("{sentence}"))?;
        let component = LoadedComponent::open(engine, &artifact, "measured", &config);
        let component = component.map_err(|sentence| format_err!("{sentence}"))?;
        Ok(Self { artifact, routes: manifest.routes, component })
    }

    fn route(&self, name: &str) -> Result<u32> {
        let route = self.routes.iter().position(|route| route.name == name);
        Ok(route.ok_or_else(|| format_err!("there is no handler {name}"))? as u32)
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Call a handler without parameters.
async fn call(guest: &Accessor<HostState>, app: &bindings::App, route: u32) -> Result<String> {
    // An empty tuple.
    app.bolt_host_handlers().call_call(guest, 1, route, b")\0".to_vec()).await
}

/// Measure `wasm`, whose handler `name` takes no parameters.
pub fn costs(wasm: &Path, name: &str, cache: &Path) -> Result<Costs> {
    let subject = Subject::open(&engine::engine(&Config::default())?, wasm, cache)?;
    let measured = measure(&subject.component, subject.route(name)?);
    let (instantiate, ready, called) = runtime()?.block_on(measured)?;
    let compiled = std::fs::metadata(&subject.artifact.code)?.len() as f64 / 1e6;
    Ok(Costs { instantiate, ready, called, compiled })
}

/// An instance alone, with the one-time work of its start, and with a call as well.
async fn measure(loaded: &LoadedComponent, route: u32) -> Result<(f64, f64, f64)> {
    let client = HttpClient::new(Arc::default());
    let (mut bare, mut ready, mut called) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let start = Instant::now();
        let mut store = HostState::store(&loaded.engine, &loaded.spec, Execution::alone(), client.clone())?;
        let app = loaded.pre.instantiate_async(&mut store).await?;
        drop((app, store));
        bare.push(start.elapsed().as_secs_f64() * 1e6);
        let start = Instant::now();
        drop(Instance::new(loaded, Execution::alone(), client.clone()).await?);
        ready.push(start.elapsed().as_secs_f64() * 1e6);
        let start = Instant::now();
        let mut instance = Instance::new(loaded, Execution::alone(), client.clone()).await?;
        instance.enter(async |guest, app| call(guest, app, route).await).await?;
        drop(instance);
        called.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok((median(bare), median(ready), median(called)))
}

/// Rounds of a comparison, and how long each is.
pub const ROUNDS: usize = 21;
pub const ROUND: Duration = Duration::from_millis(200);

/// Microseconds per call of each named handler (without parameters), with and without epochs: medians of alternating
/// rounds.
pub fn epochs(wasm: &Path, names: &[String], cache: &Path) -> Result<Vec<[f64; 2]>> {
    let mut subjects = Vec::new();
    for epochs in [true, false] {
        let mut settings = engine::settings();
        settings.epoch_interruption(epochs);
        let engine = Engine::ticking(wasmtime::Engine::new(&settings)?, 1)?;
        subjects.push(Subject::open(&engine, wasm, cache)?);
    }
    runtime()?.block_on(compare(&subjects, names))
}

async fn compare(subjects: &[Subject], names: &[String]) -> Result<Vec<[f64; 2]>> {
    let mut instances = Vec::new();
    for subject in subjects {
        let client = HttpClient::new(Arc::default());
        instances.push(Instance::new(&subject.component, Execution::alone(), client).await?);
    }
    let mut compared = Vec::new();
    for name in names {
        let route = subjects[0].route(name)?;
        let mut found = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (instance, times) in instances.iter_mut().zip(&mut found) {
                times.push(round(instance, route).await?);
            }
        }
        compared.push(found.map(median));
    }
    Ok(compared)
}

/// Microseconds per call, averaged over one round.
async fn round(instance: &mut Instance, route: u32) -> Result<f64> {
    instance
        .enter(async |guest, app| {
            let (start, mut calls) = (Instant::now(), 0u32);
            while start.elapsed() < ROUND {
                call(guest, app, route).await?;
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
