//! Runs a component of the corpus in wasmtime, with the host functions that the corpus imports.

use super::script::Call;
use wasmtime::component::{
    Component, ComponentNamedList, Instance, Lift, Linker, LinkerInstance, Lower, Val,
};
use wasmtime::{Config, Engine, Module, Store, StoreLimits, StoreLimitsBuilder, WasmBacktrace};

#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Result(String),
    /// The error text, and the function names of the backtrace, innermost first.
    Trap(String, Vec<String>),
}

impl Outcome {
    /// Whether it depends on the cost of code, which may differ when flattened.
    pub fn is_exhaustion(&self) -> bool {
        let of = |text: &str| text.contains("fuel") || text.contains("call stack exhausted");
        matches!(self, Self::Trap(text, _) if of(text))
    }
}

/// The state of an instance: what the host heard from it, and its limits.
struct State {
    heard: Vec<String>,
    limits: StoreLimits,
}

/// A component and an instance of it, which is replaced after a trap.
pub struct Program {
    engine: Engine,
    component: Component,
    linker: Linker<State>,
    live: Option<(Store<State>, Instance)>,
    heard: Vec<String>,
}

/// An engine that accepts the same components as the host's. It has fuel, because damaged code may never end.
pub fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_async(true).consume_fuel(true);
    Engine::new(&config).unwrap()
}

fn define<P, R>(
    root: &mut LinkerInstance<'_, State>,
    name: &str,
    function: impl Fn(&mut Vec<String>, P) -> R + Send + Sync + 'static,
) where
    P: ComponentNamedList + Lift + 'static,
    R: ComponentNamedList + Lower + 'static,
{
    root.func_wrap(name, move |mut store, params: P| Ok(function(&mut store.data_mut().heard, params)))
        .unwrap();
}

impl Program {
    pub fn new(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Self> {
        let component = Component::new(engine, bytes)?;
        let mut linker = Linker::new(engine);
        let mut root = linker.root();
        define(&mut root, "host-double", |_, (number,): (u32,)| (number * 2,));
        define(&mut root, "host-shout", |heard, (text,): (String,)| {
            heard.push(text.clone());
            (text.to_uppercase(),)
        });
        Ok(Self { engine: engine.clone(), component, linker, live: None, heard: Vec::new() })
    }

    /// A component that was split in two.
    pub fn of_parts(engine: &Engine, parts: &flatten::Split) -> wasmtime::Result<Self> {
        let mut program = Self::new(engine, &parts.rest)?;
        program.linker.root().module(flatten::CODE, &Module::new(engine, &parts.code)?)?;
        Ok(program)
    }

    pub fn call(&mut self, call: &Call) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.attempt(call)).unwrap_or_else(|error| {
            // The backtrace is one of the causes, and has several lines.
            let causes = error.chain().map(|cause| cause.to_string()).filter(|cause| !cause.contains('\n'));
            let frames =
                error.downcast_ref::<WasmBacktrace>().map_or(&[][..], |backtrace| backtrace.frames());
            let functions = frames.iter().map(|frame| frame.func_name().unwrap_or("?").to_owned());
            Outcome::Trap(causes.collect::<Vec<_>>().join(": "), functions.collect())
        })
    }

    async fn attempt(&mut self, call: &Call) -> wasmtime::Result<Outcome> {
        let (mut store, instance) = match self.live.take() {
            Some(live) => live,
            None => {
                let limits = StoreLimitsBuilder::new().memory_size(16 << 20).table_elements(10_000).build();
                let mut store = Store::new(&self.engine, State { heard: Vec::new(), limits });
                store.limiter(|state| &mut state.limits);
                store.set_fuel(100_000_000)?;
                let instance = self.linker.instantiate_async(&mut store, &self.component).await?;
                (store, instance)
            }
        };
        let mut index = None;
        for part in call.name.split('/') {
            let found = instance.get_export_index(&mut store, index.as_ref(), part);
            index = Some(found.ok_or_else(|| wasmtime::format_err!("{part} is not exported"))?);
        }
        let function = index.and_then(|index| instance.get_func(&mut store, index));
        let function = function.ok_or_else(|| wasmtime::format_err!("it is no function"))?;
        let mut results = vec![Val::Bool(false); function.ty(&store).results().len()];
        let outcome = function.call_async(&mut store, &call.args, &mut results).await;
        self.heard.append(&mut store.data_mut().heard);
        outcome?;
        self.live = Some((store, instance));
        Ok(Outcome::Result(results.iter().map(show).collect()))
    }

    /// What the host heard from all instances.
    pub fn heard(self) -> Vec<String> {
        self.heard
    }
}

fn show(value: &Val) -> String {
    match value {
        Val::U32(number) => number.to_string(),
        Val::U64(number) => number.to_string(),
        Val::String(text) => format!("{text:?}"),
        other => format!("{other:?}"),
    }
}
