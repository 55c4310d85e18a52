//! Components: validation, loading and linking.

use crate::config::app_source::Source;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::config::preopens::{Granted, Preopens};
use crate::config::{AppConfig, Limits};
use crate::quota::body_budget::BodyBudget;
use crate::quota::connections::ConnectionQuota;
use crate::quota::files::FileQuota;
use crate::quota::storage::{StorageQuota, Stored};
use crate::quota::streams::StreamQuota;
use crate::sandbox::bindings::AppPre;
use crate::sandbox::compile_cache::{self, Artifact};
use crate::sandbox::engine::{CodeUse, Engine, TABLE_ELEMENTS};
use crate::sandbox::host_functions;
use crate::sandbox::host_state::HostState;
use crate::sandbox::hot_pages::HotPages;
use crate::sandbox::instance_spec::InstanceSpec;
use crate::sandbox::stdio::LogRate;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use wasmparser::{Parser, Payload};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};
use wasmtime::{ExternType, Module};

/// The interface that every SDK app exports, without its version.
const HANDLERS: &str = "bolt:host/handlers@";
const ABI_VERSION: &str = "0.4.4";
/// Earlier versions lack what was added since, and are served.
const SERVED: [&str; 5] = ["0.4.0", "0.4.1", "0.4.2", "0.4.3", ABI_VERSION];

/// The unit in which a component declares its memory, in bytes.
const WASM_PAGE: u64 = 64 * 1024;

/// Check that this is a component that exports an app. The error is a user-facing message.
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
    if !SERVED.contains(&handlers) {
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

/// Collect names of the outermost component; nested modules and components are skipped.
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
pub struct LoadedComponent {
    pub engine: Engine,
    /// The file of its compiled code. Memories start as copy-on-write mappings of it.
    pub image: Arc<Path>,
    pub pre: AppPre<HostState>,
    /// The pages of them that instances write to.
    pub hot_pages: Arc<HotPages>,
    /// The code that it shares with other apps. It stays mapped while one of them is loaded.
    _code: Option<Arc<CodeUse>>,
    /// Limits, grants and environment of its instances.
    pub spec: InstanceSpec,
}

/// The variable in which a runner finds those that an app sees while it is imported; the app does not see it.
const BUILD_ENV: &str = "BOLT_HOST_BUILD_ENV";

impl LoadedComponent {
    /// Map a compiled artifact, link it and check that it fits the pool. The error is a user-facing message.
    pub fn open(
        engine: &Engine,
        artifact: &Artifact,
        name: &str,
        config: &AppConfig,
    ) -> Result<Self, String> {
        let limits = &config.limits;
        let component = compile_cache::deserialize(engine, artifact)
            .map_err(|e| format!("the compiled component cannot be loaded: {e:#}"))?;
        let code = artifact.shared().map(|code| engine.code(&code)).transpose()?;
        let module = code.as_ref().map(|code| code.module());
        fits(engine, &component, module, limits)?;
        let mut linker = Linker::new(engine);
        host_functions::link(&mut linker)
            .map_err(|e| format!("the host's functions cannot be linked: {e:#}"))?;
        if let Some(module) = module {
            let linked = linker.root().module(flatten::CODE, module);
            linked.map_err(|e| format!("its code cannot be linked: {e:#}"))?;
        }
        let pre = linker
            .instantiate_pre(&component)
            .map_err(|e| format!("it imports something this host does not provide: {e:#}"))?;
        let pre = AppPre::new(pre).map_err(|e| format!("it is a component of another world: {e:#}"))?;
        let files = FileQuota::new(limits.max_files);
        Ok(Self {
            engine: engine.clone(),
            image: artifact.code.as_path().into(),
            pre,
            hot_pages: Arc::new(HotPages::new(engine.keep_resident)),
            _code: code.map(Arc::new),
            spec: InstanceSpec {
                name: name.into(),
                log_rate: LogRate::new(limits.log_rate),
                memory_limit: limits.memory,
                files: files.clone(),
                storage: storage(name, config),
                streams: StreamQuota::new(limits.max_streams, limits.transit),
                topics: engine.topics(name),
                databases: engine.databases(name, config),
                stores: engine.stores(name, config),
                tcp: (Arc::new(config.tcp.clone()), ConnectionQuota::new(limits.max_tcp, files.clone())),
                max_message: limits.max_message,
                uploads: BodyBudget::new(limits.files_quota),
                max_exchanges: limits.max_exchanges,
                linger: limits.deadline,
                start_timeout: limits.start_timeout,
                alive: Arc::default(),
                preopens: Arc::new(with_own(&config.preopens, &artifact.files)?),
                env: config.env.as_slice().into(),
                source: None,
            },
        })
    }

    /// A copy of this runner that loads `source`.
    pub fn running(&self, source: Source) -> Result<Self, String> {
        let name = source.app.module.as_str().into();
        let preopens = Arc::new(with_own(&self.spec.preopens, &source.app.folder)?);
        let built: BTreeMap<_, _> = source.app.build_env.iter().cloned().collect();
        let built = serde_json::to_string(&built).map_err(|e| e.to_string())?;
        let env = self.spec.env.iter().cloned().chain([(BUILD_ENV.to_owned(), built)]).collect();
        let spec = InstanceSpec { name, preopens, env, source: Some(Arc::new(source)), ..self.spec.clone() };
        Ok(Self { spec, ..self.clone() })
    }
}

/// The grants of an app, with its own files if there is such a folder.
fn with_own(granted: &Preopens, files: &Path) -> Result<Preopens, String> {
    if !files.is_dir() {
        return Ok(granted.clone());
    }
    granted
        .with_own(files)
        .map_err(|e| format!("the app's files in {} cannot be opened: {e}", files.display()))
}

/// The quota of the folders that an app may write to.
fn storage(name: &str, config: &AppConfig) -> Arc<StorageQuota> {
    let Limits { files_quota, stored_files, .. } = config.limits;
    let writable = config.preopens.iter().filter(|folder| folder.write).map(Granted::path);
    StorageQuota::new(name.into(), writable, Stored { bytes: files_quota as u64, files: stored_files as u64 })
}

/// Check that the pool's memories and tables are large enough for the component.
fn fits(
    engine: &Engine,
    component: &Component,
    code: Option<&Module>,
    limits: &Limits,
) -> Result<(), String> {
    let (memory, table) = match (component.resources_required(), code) {
        (Some(needs), _) => (needs.max_initial_memory_size, needs.max_initial_table_size),
        // wasmtime reports no requirements for a component that imports its code.
        (None, Some(code)) => {
            let table = code.resources_required().max_initial_table_size;
            (initial_memory(engine, component), table)
        }
        (None, None) => {
            return Err("it instantiates modules that it imports, which this host does not support".into());
        }
    };
    let memory = memory.unwrap_or(0).saturating_mul(WASM_PAGE);
    if memory > limits.memory as u64 {
        return Err(format!(
            "it needs {} MiB of memory to start and an instance may have {} MiB: raise {}",
            memory.div_ceil(crate::config::MIB as u64),
            limits.memory / crate::config::MIB,
            limit_name::of(Limit::Memory)
        ));
    }
    let table = table.unwrap_or(0);
    if table > TABLE_ELEMENTS as u64 {
        return Err(format!("its tables hold {table} functions and at most {TABLE_ELEMENTS} are supported"));
    }
    Ok(())
}

/// The initial memory that a component passes to the code that it imports, in pages.
fn initial_memory(engine: &Engine, component: &Component) -> Option<u64> {
    let ty = component.component_type();
    let code = ty.get_import(engine, flatten::CODE)?;
    let ComponentItem::Module(code) = code.ty else { return None };
    let memories = code.imports(engine).filter_map(|(_, ty)| match ty {
        ExternType::Memory(memory) => Some(memory.minimum()),
        _ => None,
    });
    memories.max()
}
