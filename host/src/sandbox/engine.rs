//! The wasmtime engine: its instance pool, its epoch ticker, and code shared by apps, mapped once.

#[cfg(feature = "redis")]
use crate::config::broker::BrokerUrl;
use crate::config::{AppConfig, Config};
use crate::kv::stores::Stores;
use crate::quota::instance_places::InstancePlaces;
use crate::sandbox::by_app::ByApp;
use crate::sandbox::compile_cache::{self, Artifact};
use crate::sandbox::execution::{self, TICK};
use crate::sql::databases::Databases;
#[cfg(feature = "redis")]
use crate::topics::broker::Broker;
use crate::topics::topic::Topics;
use crate::util::locks::lock;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wasmtime::{Enabled, InstanceAllocationStrategy, Module, PoolingAllocationConfig};

/// wasmtime's engine, and the shared code that is mapped for it.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    codes: Arc<Mutex<Vec<Code>>>,
    /// The places of its instance pool.
    pub places: Arc<InstancePlaces>,
    /// How much of a retired instance's memory is reset in place, in bytes.
    pub keep_resident: usize,
    /// The topics of each app: those of a version are those of the next.
    topics: ByApp<Topics>,
    /// The databases of each app, which versions share as well.
    databases: ByApp<Databases>,
    /// And their stores of keys and values.
    stores: ByApp<Stores>,
    /// Shares topics with other hosts.
    #[cfg(feature = "redis")]
    broker: Option<Arc<Broker>>,
}

/// Most shared modules that stay mapped while no app uses them.
const KEPT: usize = 2;

/// Code of apps that were linked from the same libraries. The list is in order of use, most recent last.
struct Code {
    file: PathBuf,
    module: Module,
    users: usize,
}

/// A reference to shared code. Once all are dropped the code may be unmapped.
pub struct CodeUse {
    file: PathBuf,
    module: Module,
    codes: Arc<Mutex<Vec<Code>>>,
}

impl CodeUse {
    pub fn module(&self) -> &Module {
        &self.module
    }
}

impl Drop for CodeUse {
    fn drop(&mut self) {
        if let Some(code) = lock(&self.codes).iter_mut().find(|code| code.file == self.file) {
            code.users -= 1;
        }
    }
}

impl Engine {
    /// Start the epoch ticker of an engine that has so many instances.
    pub fn ticking(engine: wasmtime::Engine, most_instances: usize) -> wasmtime::Result<Self> {
        start_ticker(&engine)?;
        #[cfg(any(feature = "postgres", feature = "redis"))]
        let _ = crate::util::server_thread::runtime();
        let places = InstancePlaces::new(most_instances);
        Ok(Self {
            engine,
            codes: Arc::default(),
            places,
            keep_resident: 0,
            topics: ByApp::default(),
            databases: ByApp::default(),
            stores: ByApp::default(),
            #[cfg(feature = "redis")]
            broker: None,
        })
    }

    /// Share the topics of its apps with other hosts. The error is a sentence.
    #[cfg(feature = "redis")]
    pub fn share_topics(&mut self, url: &BrokerUrl) -> Result<(), String> {
        self.broker = Some(Arc::new(Broker::start(url)?));
        Ok(())
    }

    /// The topics of an app.
    pub fn topics(&self, app: &str) -> Arc<Topics> {
        self.topics.find(app, |known| known.unwrap_or_else(|| Arc::new(self.new_topics(app))))
    }

    /// The databases of an app with this configuration.
    pub fn databases(&self, app: &str, config: &AppConfig) -> Arc<Databases> {
        let wanted = Databases::new(app, config);
        self.databases.find(app, |known| {
            known.filter(|known| known.are_like(&wanted)).unwrap_or_else(|| Arc::new(wanted))
        })
    }

    /// The stores of an app with this configuration.
    pub fn stores(&self, app: &str, config: &AppConfig) -> Arc<Stores> {
        let wanted = Stores::new(app, config);
        self.stores.find(app, |known| {
            known.filter(|known| known.are_like(&wanted)).unwrap_or_else(|| Arc::new(wanted))
        })
    }

    #[cfg(feature = "redis")]
    fn new_topics(&self, app: &str) -> Topics {
        self.broker.as_ref().map(|broker| Topics::linked(broker.link(app))).unwrap_or_default()
    }

    #[cfg(not(feature = "redis"))]
    fn new_topics(&self, _app: &str) -> Topics {
        Topics::default()
    }

    /// Map code that apps share, or reuse its mapping. A first response that had to read it from disk took 75 ms,
    /// others 16, so the last few stay mapped while no app uses them. The error is a user-facing message.
    pub fn code(&self, artifact: &Artifact) -> Result<CodeUse, String> {
        let mut codes = lock(&self.codes);
        let mut code = match codes.iter().position(|code| code.file == artifact.code) {
            Some(place) => codes.remove(place),
            None => {
                let module = compile_cache::deserialize_module(&self.engine, artifact)
                    .map_err(|e| format!("the compiled code cannot be loaded: {e:#}"))?;
                Code { file: artifact.code.clone(), module, users: 0 }
            }
        };
        code.users += 1;
        let used =
            CodeUse { file: code.file.clone(), module: code.module.clone(), codes: self.codes.clone() };
        codes.push(code);
        let mut unused = codes.iter().filter(|code| code.users == 0).count();
        codes.retain(|code| {
            let is_evicted = code.users == 0 && unused > KEPT;
            unused -= usize::from(is_evicted);
            !is_evicted
        });
        Ok(used)
    }
}

impl Deref for Engine {
    type Target = wasmtime::Engine;

    fn deref(&self) -> &wasmtime::Engine {
        &self.engine
    }
}

/// Largest table of a guest; a CPython component has about 5 700 entries.
pub const TABLE_ELEMENTS: usize = 50_000;

/// Core instances of a componentized app: about ten, plus room for native extensions.
const CORE_INSTANCES: u32 = 40;

/// Create the engine and start its ticker. Its pool holds `config.most_instances` instances.
pub fn engine(config: &Config) -> wasmtime::Result<Engine> {
    let count = u32::try_from(config.most_instances).unwrap_or(u32::MAX).min(100_000);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(count)
        .total_core_instances(count.saturating_mul(CORE_INSTANCES))
        .total_memories(count)
        .total_tables(count.saturating_mul(2))
        .total_stacks(count.saturating_mul(2))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(1)
        .max_tables_per_component(4)
        .max_component_instance_size(16 * crate::config::MIB)
        .max_core_instance_size(4 * crate::config::MIB)
        .table_elements(TABLE_ELEMENTS)
        // The store enforces an app's limit; this is the upper bound of every limit.
        .max_memory_size(2048 * crate::config::MIB);
    let resets_in_place = may_reset_in_place();
    let keep_resident = if resets_in_place { config.limits.keep_resident } else { 0 };
    if resets_in_place {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(keep_resident)
            .table_keep_resident(TABLE_KEEP_RESIDENT);
    }
    let mut settings = settings();
    settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::ticking(wasmtime::Engine::new(&settings)?, count as usize)?;
    Ok(Engine { keep_resident, ..engine })
}

/// How much of a retired instance's function table is reset in place, in bytes.
const TABLE_KEEP_RESIDENT: usize = 64 * 1024;

/// To reset in place, wasmtime asks the kernel which pages were written (PAGEMAP_SCAN, Linux 6.7). This version misses
/// pages that were swapped out, so it is enabled only on systems without swap.
fn may_reset_in_place() -> bool {
    let swaps = std::fs::read_to_string("/proc/swaps").unwrap_or_else(|_| "unknown\nunknown".into());
    PoolingAllocationConfig::is_pagemap_scan_available() && swaps.lines().count() <= 1
}

/// The stack of a guest, which traps where it ends. CPython counts its Python frames and its own stack in the guest's memory, and
/// raises RecursionError where one of them ends. This one has to be longer than either: a thousand Python frames with functions
/// of C between them take up to 1.3 MiB of it, and the deepest JSON that the SDK lets `json.loads` read (2 000 levels) takes as
/// much to write. Only pages that were written take memory; the pool keeps them, so it is no longer than that.
const WASM_STACK: usize = 4 * 1024 * 1024;
/// What functions of the host have on the same stack.
const HOST_STACK: usize = 1024 * 1024;

/// The settings that a compiled artifact depends on.
pub fn settings() -> wasmtime::Config {
    let mut settings = wasmtime::Config::new();
    settings
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(WASM_STACK + HOST_STACK)
        // Snapshots are sparse; above 16 MiB wasmtime would silently give up copy-on-write.
        .memory_guaranteed_dense_image_size(256 << 20);
    settings
}

/// Tick interval of an idle engine.
const RESTING_TICK: Duration = Duration::from_millis(5);
/// Ticks without work after which an engine is idle.
const STILL: u32 = 100;
/// Nice value of the ticker thread, if the process may set it. With all cores busy the kernel (250 Hz) ran a thread of
/// normal priority up to 5 ms late, and everything waits for this one.
const NICE: i32 = -10;

/// Advance the engine's epoch every [`TICK`] on a dedicated thread, while the engine is alive.
fn start_ticker(engine: &wasmtime::Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("epoch".into()).spawn(move || {
        let _ = rustix::process::setpriority_process(None, NICE);
        let mut still = 0;
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            still = if execution::was_busy() { 0 } else { (still + 1).min(STILL) };
            std::thread::sleep(if still < STILL { TICK } else { RESTING_TICK });
        }
    })?;
    Ok(())
}
