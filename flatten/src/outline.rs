//! Parses the outermost level of a component: its definitions in order, and the source of each core item.

use crate::{Left, unsupported};
use std::ops::Range;
use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentType, ComponentTypeRef, ComponentTypeSectionReader, Encoding, ExternalKind, Instance, Parser,
    Payload,
};

/// A definition that keeps its place in the output, whatever happens to the core modules. Core items are not among
/// them: they are written on demand.
#[derive(Debug, Clone)]
pub enum Item<'a> {
    /// A section that is copied unchanged.
    Section {
        id: u8,
        content: Range<usize>,
    },
    /// Types, some of which have destructors.
    Types(ComponentTypeSectionReader<'a>),
    Alias(ComponentAlias<'a>),
    Lift(CanonicalFunction),
    /// The instantiation of a core module, by index of the instance. It has side effects.
    Instantiate(u32),
}

/// The source of a core item.
#[derive(Debug, Clone)]
pub enum Source<'a> {
    /// An export of a core instance.
    Export { instance: u32, name: &'a str },
    /// A function of the host or of the component model.
    Canonical(CanonicalFunction),
}

/// Kinds of core items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Func,
    Table,
    Memory,
    Global,
}

impl Kind {
    pub fn of(kind: ExternalKind) -> Result<Self, Left> {
        match kind {
            ExternalKind::Func => Ok(Self::Func),
            ExternalKind::Table => Ok(Self::Table),
            ExternalKind::Memory => Ok(Self::Memory),
            ExternalKind::Global => Ok(Self::Global),
            ExternalKind::Tag | ExternalKind::FuncExact => {
                Err(unsupported("it uses exceptions or exact functions"))
            }
        }
    }

    pub fn encoded(self) -> wasm_encoder::ExportKind {
        match self {
            Self::Func => wasm_encoder::ExportKind::Func,
            Self::Table => wasm_encoder::ExportKind::Table,
            Self::Memory => wasm_encoder::ExportKind::Memory,
            Self::Global => wasm_encoder::ExportKind::Global,
        }
    }
}

/// A parsed component.
#[derive(Debug, Default)]
pub struct Outline<'a> {
    pub bytes: &'a [u8],
    pub items: Vec<Item<'a>>,
    /// The positions of items that run code of components.
    pub running: Vec<usize>,
    pub modules: Vec<&'a [u8]>,
    pub instances: Vec<Instance<'a>>,
    pub funcs: Vec<Source<'a>>,
    pub tables: Vec<Source<'a>>,
    pub memories: Vec<Source<'a>>,
    pub globals: Vec<Source<'a>>,
}

impl<'a> Outline<'a> {
    /// Parse the outermost level of a component.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Left> {
        let mut outline = Self { bytes, ..Self::default() };
        let mut depth = 0u32;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            if let Payload::ModuleSection { unchecked_range, .. }
            | Payload::ComponentSection { unchecked_range, .. } = &payload
                && unchecked_range.end > bytes.len()
            {
                // The parser takes the end of the input for the end of an inner module or component.
                return Err(Left::Damaged("it ends too early".to_owned()));
            }
            match &payload {
                Payload::ModuleSection { unchecked_range, .. } if depth == 0 => {
                    outline.modules.push(&bytes[unchecked_range.start..unchecked_range.end]);
                    depth += 1;
                }
                Payload::ComponentSection { unchecked_range, .. } if depth == 0 => {
                    outline.copy(wasm_encoder::ComponentSectionId::Component as u8, unchecked_range.clone());
                    depth += 1;
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentAliasSection(section) if depth > 0 => {
                    // The inner component is copied unchanged, but the modules of this one get new indices.
                    for alias in section.clone() {
                        if let ComponentAlias::Outer {
                            kind: ComponentOuterAliasKind::CoreModule, count, ..
                        } = alias?
                            && count == depth
                        {
                            return Err(unsupported("it uses core modules from elsewhere"));
                        }
                    }
                }
                _ if depth > 0 => {}
                payload => outline.section(payload)?,
            }
        }
        Ok(outline)
    }

    pub fn sources(&self, kind: Kind) -> &[Source<'a>] {
        match kind {
            Kind::Func => &self.funcs,
            Kind::Table => &self.tables,
            Kind::Memory => &self.memories,
            Kind::Global => &self.globals,
        }
    }

    fn copy(&mut self, id: u8, content: Range<usize>) {
        self.items.push(Item::Section { id, content });
    }

    fn section(&mut self, payload: &Payload<'a>) -> Result<(), Left> {
        use wasm_encoder::ComponentSectionId as Id;
        match payload {
            Payload::Version { encoding: Encoding::Component, .. } => {}
            Payload::Version { .. } => return Err(unsupported("it is a core module, not a component")),
            Payload::ComponentTypeSection(section) => {
                let mut plain = true;
                for ty in section.clone() {
                    plain &= !matches!(ty?, ComponentType::Resource { dtor: Some(_), .. });
                }
                if plain {
                    self.copy(Id::Type as u8, section.range());
                } else {
                    self.items.push(Item::Types(section.clone()));
                }
            }
            Payload::CoreTypeSection(section) => self.copy(Id::CoreType as u8, section.range()),
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    if matches!(import?.ty, ComponentTypeRef::Module(_)) {
                        return Err(unsupported("it imports core modules"));
                    }
                }
                self.copy(Id::Import as u8, section.range());
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    refuse_module(export?.kind)?;
                }
                self.copy(Id::Export as u8, section.range());
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    match instance? {
                        ComponentInstance::Instantiate { args, .. } => {
                            self.running.push(self.items.len());
                            args.iter().try_for_each(|arg| refuse_module(arg.kind))?;
                        }
                        ComponentInstance::FromExports(exports) => {
                            exports.iter().try_for_each(|export| refuse_module(export.kind))?;
                        }
                    }
                }
                self.copy(Id::Instance as u8, section.range());
            }
            Payload::ComponentStartSection { range, .. } => {
                self.running.push(self.items.len());
                self.copy(Id::Start as u8, range.clone());
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(alias?)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section.clone() {
                    match function? {
                        lift @ CanonicalFunction::Lift { .. } => self.items.push(Item::Lift(lift)),
                        other => self.funcs.push(Source::Canonical(other)),
                    }
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    let instance = instance?;
                    if matches!(instance, Instance::Instantiate { .. }) {
                        self.items.push(Item::Instantiate(self.instances.len() as u32));
                    }
                    self.instances.push(instance);
                }
            }
            // Names of core items would be wrong, and other custom sections describe the original as well.
            Payload::CustomSection(_) => {}
            other => return Err(unsupported(format!("it has a section of an unknown kind: {other:?}"))),
        }
        Ok(())
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) -> Result<(), Left> {
        match alias {
            ComponentAlias::CoreInstanceExport { kind, instance_index: instance, name } => {
                let source = Source::Export { instance, name };
                match Kind::of(kind)? {
                    Kind::Func => self.funcs.push(source),
                    Kind::Table => self.tables.push(source),
                    Kind::Memory => self.memories.push(source),
                    Kind::Global => self.globals.push(source),
                }
            }
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, .. }
            | ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. } => {
                return Err(unsupported("it uses core modules from elsewhere"));
            }
            other => self.items.push(Item::Alias(other)),
        }
        Ok(())
    }
}

fn refuse_module(kind: ComponentExternalKind) -> Result<(), Left> {
    match kind {
        ComponentExternalKind::Module => Err(unsupported("it hands core modules on")),
        _ => Ok(()),
    }
}
