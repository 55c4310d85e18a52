//! The engine, and components: checked, compiled ahead of time, loaded, linked.

use crate::bindings::AppPre;
use crate::config::{AppConfig, Config, Limits};
use crate::folders::Folders;
use crate::guestlog::LogRate;
use crate::source::Source;
use crate::store::{self, GuestState, TABLE_ELEMENTS};
use crate::vitals::{self, TICK};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wasmparser::{Parser, Payload};
pub use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use wasmtime::{Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// The interface every SDK app exports, less its version.
const HANDLERS: &str = "bolt:host/handlers@";
const ABI_VERSION: &str = "0.4.0";

/// The unit in which a component states its memory, in bytes.
const WASM_PAGE: u64 = 64 * 1024;

/// Core instances in a componentized app: about ten, and room for native extensions.
const CORE_INSTANCES: u32 = 40;

/// Make the engine and start its clock. Its pool holds `config.most_instances` instances.
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
        // The limit itself is kept by the store; this is the most that any limit may be.
        .max_memory_size(2048 * crate::config::MIB);
    if may_reset_in_place() {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(config.keep_resident)
            .table_keep_resident(TABLE_KEEP_RESIDENT);
    }
    let mut settings = settings();
    settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&settings)?;
    start_ticker(&engine)?;
    Ok(engine)
}

/// What is wiped in place of a retired instance's function table, in bytes.
const TABLE_KEEP_RESIDENT: usize = 64 * 1024;

/// Wiping in place needs the kernel's word on which pages were written (PAGEMAP_SCAN, Linux 6.7). This version of
/// wasmtime misses pages that were swapped out, so it is done only where nothing is ever swapped.
fn may_reset_in_place() -> bool {
    let swaps = std::fs::read_to_string("/proc/swaps").unwrap_or_else(|_| "unknown\nunknown".into());
    PoolingAllocationConfig::is_pagemap_scan_available() && swaps.lines().count() <= 1
}

/// The settings that a compiled artifact depends on.
pub fn settings() -> wasmtime::Config {
    let mut settings = wasmtime::Config::new();
    settings
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .max_wasm_stack(1024 * 1024)
        .async_stack_size(2 * 1024 * 1024)
        // A snapshot is sparse; above 16 MiB wasmtime would silently give up copy-on-write for it.
        .memory_guaranteed_dense_image_size(256 << 20);
    settings
}

/// How often the clock of an engine ticks that has nothing to do.
const RESTING_TICK: Duration = Duration::from_millis(5);
/// Ticks without work after which there is nothing to do.
const STILL: u32 = 100;
/// Of the thread that ticks, where a process may ask for it. While every core computes, a thread like the others was let in
/// up to 5 ms late (a kernel that looks at its queue 250 times a second), and all wait for it.
const NICE: i32 = -10;

/// Advance the engine's epoch every [`TICK`], from a thread of its own, for as long as the engine lives.
pub fn start_ticker(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("epoch".into()).spawn(move || {
        let _ = rustix::process::setpriority_process(None, NICE);
        let mut still = 0;
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            still = if vitals::was_busy() { 0 } else { (still + 1).min(STILL) };
            std::thread::sleep(if still < STILL { TICK } else { RESTING_TICK });
        }
    })?;
    Ok(())
}

/// Look at a component's outside. The error is a sentence.
pub fn check(wasm: &[u8]) -> Result<(), String> {
    match wasm {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => {}
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            return Err(
                "it is a core WebAssembly module, not a component; `bolt-host build` makes components".into(),
            );
        }
        _ => return Err("it is not WebAssembly".into()),
    }
    let exports = exports(wasm).map_err(|e| format!("it is damaged: {e}"))?;
    let Some(handlers) = exports.iter().find_map(|name| name.strip_prefix(HANDLERS)) else {
        let shown = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        return Err(format!(
            "it is a component of another world: it exports {shown}, and an app exports {HANDLERS}{ABI_VERSION}"
        ));
    };
    if handlers != ABI_VERSION {
        return Err(format!(
            "it was built for ABI {handlers} and this host speaks {ABI_VERSION}: build it again with this version"
        ));
    }
    Ok(())
}

fn exports(wasm: &[u8]) -> Result<Vec<String>, wasmparser::BinaryReaderError> {
    names(wasm, |payload, names| {
        if let Payload::ComponentExportSection(section) = payload {
            for export in section.clone() {
                names.push(export?.name.name.to_owned());
            }
        }
        Ok(())
    })
}

/// The interfaces a component imports, for `inspect`.
pub fn imports(wasm: &[u8]) -> Result<Vec<String>, wasmparser::BinaryReaderError> {
    names(wasm, |payload, names| {
        if let Payload::ComponentImportSection(section) = payload {
            for import in section.clone() {
                names.push(import?.name.name.to_owned());
            }
        }
        Ok(())
    })
}

type Collect = fn(&Payload<'_>, &mut Vec<String>) -> Result<(), wasmparser::BinaryReaderError>;

/// Collect names of the outermost component; what is nested in it is skipped.
fn names(wasm: &[u8], collect: Collect) -> Result<Vec<String>, wasmparser::BinaryReaderError> {
    let (mut names, mut depth) = (Vec::new(), 0u32);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            ref payload if depth == 0 => collect(payload, &mut names)?,
            _ => {}
        }
    }
    Ok(names)
}

/// A component ready to be instantiated.
#[derive(Clone)]
pub struct Loaded {
    pub name: Arc<str>,
    /// Of all that its instances write to the log.
    pub log_rate: Arc<LogRate>,
    pub engine: Engine,
    /// The file of its compiled code, which memories begin as copies of.
    pub image: Arc<Path>,
    pub pre: AppPre<GuestState>,
    pub memory_limit: usize,
    pub max_exchanges: usize,
    /// How long work after a reply may take.
    pub linger: Duration,
    /// What its instances may read, and write.
    pub folders: Arc<Folders>,
    /// Their environment.
    pub env: Arc<[(String, String)]>,
    /// The app that each instance has to load, when the component is a runner.
    pub source: Option<Arc<Source>>,
}

impl Loaded {
    /// Map a compiled artifact, link it and check that it fits the pool. The error is a sentence.
    pub fn open(engine: &Engine, artifact: &Path, name: &str, config: &AppConfig) -> Result<Self, String> {
        let limits = &config.limits;
        let component = crate::artifact::deserialize(engine, artifact)
            .map_err(|e| format!("the compiled component cannot be loaded: {e:#}"))?;
        fits(&component, limits)?;
        let mut linker = Linker::new(engine);
        store::link(&mut linker).map_err(|e| format!("the host's functions cannot be linked: {e:#}"))?;
        let pre = linker
            .instantiate_pre(&component)
            .map_err(|e| format!("it asks for something this host does not offer: {e:#}"))?;
        let pre = AppPre::new(pre).map_err(|e| format!("it is a component of another world: {e:#}"))?;
        Ok(Self {
            name: name.into(),
            log_rate: LogRate::new(limits.log_rate),
            engine: engine.clone(),
            image: artifact.into(),
            pre,
            memory_limit: limits.memory,
            max_exchanges: limits.max_exchanges,
            linger: limits.deadline,
            folders: Arc::new(config.folders.clone()),
            env: config.env.as_slice().into(),
            source: None,
        })
    }

    /// This runner, as one that runs `source`.
    pub fn running(&self, source: Source) -> Self {
        Self { name: source.app.module.as_str().into(), source: Some(Arc::new(source)), ..self.clone() }
    }
}

fn fits(component: &Component, limits: &Limits) -> Result<(), String> {
    let Some(needs) = component.resources_required() else {
        return Err("it is linked with modules of its own making, which this host does not support".into());
    };
    let memory = needs.max_initial_memory_size.unwrap_or(0).saturating_mul(WASM_PAGE);
    if memory > limits.memory as u64 {
        return Err(format!(
            "it starts with {} MiB of memory and an instance may have {} MiB: raise --memory",
            memory.div_ceil(crate::config::MIB as u64),
            limits.memory / crate::config::MIB
        ));
    }
    let table = needs.max_initial_table_size.unwrap_or(0);
    if table > TABLE_ELEMENTS as u64 {
        return Err(format!("its tables hold {table} functions and at most {TABLE_ELEMENTS} are supported"));
    }
    Ok(())
}
