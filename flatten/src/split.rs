//! Splits a flat component in two: its code, which is the same for all components linked from the same libraries, and
//! the rest, with the initial contents of its memory.
//!
//! ```text
//!  (module memory, data, code)  →  (module memory, data)  and  (import "code" (module code that imports a memory))
//! ```
//!
//! Programs whose memory is a snapshot taken after their start differ only in their data. So the code can be compiled
//! by itself, once for all of them.

mod code;

use crate::constant::evaluate;
use crate::core_module::CoreModule;
use crate::outline::{Kind, Outline};
use crate::{Left, unsupported, validate};
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use wasm_encoder::reencode::{Reencode, ReencodeComponent, RoundtripReencoder};
use wasm_encoder::{
    Component, ComponentAliasSection, ComponentImportSection, ComponentSectionId, ComponentTypeRef,
    CoreTypeSection, DataSection, ExportKind, ExportSection, GlobalSection, InstanceSection, MemorySection,
    Module, ModuleArg, ModuleType, RawSection,
};
use wasmparser::{Data, DataKind, Instance, MemoryType, Operator, Parser, Payload, TypeRef};

/// The name under which the rest of a component imports the code.
pub const CODE: &str = "code";
/// The name under which the code imports the image: its memory, and the globals that are not part of the code.
const IMAGE: &str = "image";
const MEMORY: &str = "memory";

/// A component in two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// A core module.
    pub code: Vec<u8>,
    /// A component that imports such a module as [`CODE`], and otherwise equals the original.
    pub rest: Vec<u8>,
}

/// Split `component`, in which one module has the memory and all its initial contents. The parts are not validated
/// here: compiling them does that, and the code often has been compiled before.
pub fn split(component: &[u8]) -> Result<Split, Left> {
    validate(component)?;
    let outline = Outline::read(component)?;
    let whole = Whole::find(&outline)?;
    let code = whole.code()?;
    let rest = whole.rest(component, &code)?;
    Ok(Split { code, rest })
}

/// The module with the memory, and how to split it.
struct Whole<'a> {
    bytes: &'a [u8],
    module: CoreModule<'a>,
    memory: MemoryType,
    /// Its index in the component, and that of its instance.
    number: u32,
    instance: u32,
    /// The globals it defines that move to the image.
    taken: Vec<u32>,
    /// The new index of each global.
    globals: Vec<u32>,
}

impl<'a> Whole<'a> {
    fn find(outline: &Outline<'a>) -> Result<Self, Left> {
        let mut found = None;
        for (number, bytes) in outline.modules.iter().enumerate() {
            let module = CoreModule::read(bytes)?;
            if module.memories.is_empty() {
                if module.fills_memory() {
                    return Err(unsupported("several modules fill its memory"));
                }
                continue;
            }
            if found.replace((number as u32, *bytes, module)).is_some() {
                return Err(unsupported("several modules have memories"));
            }
        }
        let (number, bytes, module) = found.ok_or_else(|| unsupported("no module has a memory"))?;
        let [memory] = module.memories[..] else { return Err(unsupported("a module has several memories")) };
        let is_plain = !memory.memory64 && !memory.shared && memory.page_size_log2.is_none();
        if !is_plain || module.imported(Kind::Memory) > 0 {
            return Err(unsupported("it has a memory of a special kind"));
        }
        if !module.data.iter().all(is_fixed) {
            return Err(unsupported("what its memory begins with is not known"));
        }
        let made = |instance: &Instance<'_>| matches!(instance, Instance::Instantiate { module_index, .. } if *module_index == number);
        let mut instances = (0..).zip(&outline.instances).filter(|(_, instance)| made(instance));
        let (Some((instance, _)), None) = (instances.next(), instances.next()) else {
            return Err(unsupported("its module is not instantiated once"));
        };
        let taken = taken(&module)?;
        let globals = renumbered(&module, &taken);
        Ok(Self { bytes, module, memory, number, instance, taken, globals })
    }

    /// The module without its memory.
    fn code(&self) -> Result<Vec<u8>, Left> {
        code::write(self)
    }

    /// The module of the memory, and of the globals that are not part of the code.
    fn image(&self) -> Result<Module, Left> {
        let (mut memories, mut globals) = (MemorySection::new(), GlobalSection::new());
        let (mut exports, mut data) = (ExportSection::new(), DataSection::new());
        memories.memory(RoundtripReencoder.memory_type(self.memory)?);
        exports.export(MEMORY, ExportKind::Memory, 0);
        for (number, index) in self.taken.iter().enumerate() {
            let global = &self.module.globals[*index as usize];
            let ty = RoundtripReencoder.global_type(global.ty)?;
            globals.global(ty, &RoundtripReencoder.const_expr(global.init_expr.clone())?);
            exports.export(&number.to_string(), ExportKind::Global, number as u32);
        }
        for segment in &self.module.data {
            RoundtripReencoder.parse_data(&mut data, segment.clone())?;
        }
        let mut module = Module::new();
        module.section(&memories).section(&globals).section(&exports).section(&data);
        Ok(module)
    }

    /// The component with the image as its first module and first instance: all others come after.
    fn rest(&self, bytes: &[u8], code: &[u8]) -> Result<Vec<u8>, Left> {
        let mut component = Component::new();
        let image = self.image()?.finish();
        component.section(&RawSection { id: ComponentSectionId::CoreModule as u8, data: &image });
        component.section(InstanceSection::new().instantiate(0, Vec::<(&str, ModuleArg)>::new()));
        let (mut depth, mut modules, mut instances) = (0u32, 0, 0);
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            match &payload {
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                Payload::ModuleSection { .. } if modules == self.number => {
                    self.import(&mut component, code)?
                }
                Payload::InstanceSection(section) => {
                    let mut rewritten = InstanceSection::new();
                    for instance in section.clone() {
                        self.instance(&mut rewritten, instances, instance?)?;
                        instances += 1;
                    }
                    component.section(&rewritten);
                }
                Payload::ComponentAliasSection(section) => {
                    let mut rewritten = ComponentAliasSection::new();
                    Later.parse_component_alias_section(&mut rewritten, section.clone())?;
                    component.section(&rewritten);
                }
                Payload::CoreTypeSection(_) => return Err(unsupported("it has types of core modules")),
                // Custom sections refer to indices that have changed.
                Payload::CustomSection(_) => {}
                payload => {
                    if let Some((id, content)) = payload.as_section() {
                        component.section(&RawSection { id, data: &bytes[content] });
                    }
                }
            }
            if let Payload::ModuleSection { .. } | Payload::ComponentSection { .. } = payload {
                modules += u32::from(depth == 0 && matches!(payload, Payload::ModuleSection { .. }));
                depth += 1;
            }
        }
        Ok(component.finish())
    }

    /// Write the import that takes the place of the whole module.
    fn import(&self, component: &mut Component, code: &[u8]) -> Result<(), Left> {
        let mut types = CoreTypeSection::new();
        types.ty().module(&self.module_type(code)?);
        component.section(&types);
        component.section(ComponentImportSection::new().import(CODE, ComponentTypeRef::Module(0)));
        Ok(())
    }

    /// The imports and exports of the code. Its memory has the type of the image's, which is larger than the code
    /// requires.
    fn module_type(&self, code: &[u8]) -> Result<ModuleType, Left> {
        let code = CoreModule::read(code)?;
        let mut described = ModuleType::new();
        for ty in &code.types {
            let ty = RoundtripReencoder.func_type(ty.clone())?;
            described.ty().function(ty.params().iter().copied(), ty.results().iter().copied());
        }
        for import in &code.imports {
            let ty = match import.ty {
                TypeRef::Memory(_) => TypeRef::Memory(self.memory),
                other => other,
            };
            described.import(import.module, import.name, RoundtripReencoder.entity_type(ty)?);
        }
        let mut exports: Vec<_> = code.exports.iter().collect();
        exports.sort();
        for (name, (kind, index)) in exports {
            let imported = code.import(*kind, *index).map(|import| import.ty);
            let defined = || (*index - code.imported(*kind)) as usize;
            let ty = match (kind, imported) {
                (_, Some(ty)) => ty,
                (Kind::Func, None) => TypeRef::Func(code.funcs[defined()]),
                (Kind::Table, None) => TypeRef::Table(code.tables[defined()]),
                (Kind::Memory, None) => TypeRef::Memory(code.memories[defined()]),
                (Kind::Global, None) => TypeRef::Global(code.globals[defined()].ty),
            };
            described.export(name, RoundtripReencoder.entity_type(ty)?);
        }
        Ok(described)
    }

    /// Rewrite an instance with the new indices of modules and instances.
    fn instance(
        &self,
        section: &mut InstanceSection,
        number: u32,
        instance: Instance<'a>,
    ) -> Result<(), Left> {
        match instance {
            Instance::Instantiate { module_index, args } if number == self.instance => {
                let mut given = vec![(IMAGE, ModuleArg::Instance(0))];
                given.extend(args.iter().map(|arg| (arg.name, ModuleArg::Instance(arg.index + 1))));
                section.instantiate(module_index + 1, given);
            }
            instance => Later.parse_instance(section, instance)?,
        }
        Ok(())
    }
}

/// Whether a segment is active, at a constant offset.
fn is_fixed(data: &Data<'_>) -> bool {
    match &data.kind {
        DataKind::Active { offset_expr, .. } => evaluate(offset_expr, |_| None).is_some(),
        DataKind::Passive => false,
    }
}

/// Mutable globals, except the one that most functions use. That one is the stack pointer, which starts the same in all
/// programs, and code that defines it itself is faster. Others hold, for example, how much of the memory is in use.
fn taken(module: &CoreModule<'_>) -> Result<Vec<u32>, Left> {
    let mut users: HashMap<u32, usize> = HashMap::new();
    for body in &module.bodies {
        let mut used = BTreeSet::new();
        for operator in body.get_operators_reader()? {
            if let Operator::GlobalGet { global_index } | Operator::GlobalSet { global_index } = operator? {
                used.insert(global_index);
            }
        }
        used.into_iter().for_each(|global| *users.entry(global).or_default() += 1);
    }
    let changing = |index: &u32| {
        let global = &module.globals[*index as usize];
        global.ty.mutable && evaluate(&global.init_expr, |_| None).is_some()
    };
    let mut taken: Vec<_> = (0..module.globals.len() as u32).filter(changing).collect();
    let users =
        |index: &u32| users.get(&(module.imported(Kind::Global) + index)).copied().unwrap_or_default();
    let most = taken.iter().max_by_key(|index| users(index)).copied();
    taken.retain(|index| Some(*index) != most);
    Ok(taken)
}

/// The index of each global in the code: imports come first, and the taken globals become imports.
fn renumbered(module: &CoreModule<'_>, taken: &[u32]) -> Vec<u32> {
    let imported = module.imported(Kind::Global);
    let mut numbers: Vec<_> = (0..imported).collect();
    let mut kept = imported + taken.len() as u32;
    for index in 0..module.globals.len() as u32 {
        numbers.push(match taken.binary_search(&index) {
            Ok(place) => imported + place as u32,
            Err(_) => {
                kept += 1;
                kept - 1
            }
        });
    }
    numbers
}

/// Increases the indices of modules and instances by one.
struct Later;

impl Reencode for Later {
    type Error = Infallible;
}

impl ReencodeComponent for Later {
    fn module_index(&mut self, index: u32) -> u32 {
        index + 1
    }

    fn instance_index(&mut self, index: u32) -> u32 {
        index + 1
    }
}
