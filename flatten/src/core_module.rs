//! Parses a core module: its types, imports, definitions, segments and names.

use crate::outline::Kind;
use crate::{Left, unsupported};
use std::collections::{BTreeSet, HashMap};
use wasmparser::{
    CompositeInnerType, Data, DataKind, Element, ElementKind, FuncType, FunctionBody, Global, GlobalType,
    HeapType, KnownCustom, MemoryType, Name, Parser, Payload, SubType, TableType, TypeRef, ValType,
};

/// An import. `ty` is its type as the module declares it.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    pub module: &'a str,
    pub name: &'a str,
    pub kind: Kind,
    pub ty: TypeRef,
}

/// A parsed module. Index spaces begin with the imports; definitions are listed without them.
#[derive(Default)]
pub struct CoreModule<'a> {
    pub types: Vec<FuncType>,
    pub imports: Vec<Import<'a>>,
    /// How many imports there are of each kind.
    imported: HashMap<Kind, u32>,
    /// The type index of each defined function.
    pub funcs: Vec<u32>,
    pub bodies: Vec<FunctionBody<'a>>,
    pub tables: Vec<TableType>,
    pub memories: Vec<MemoryType>,
    pub globals: Vec<Global<'a>>,
    pub exports: HashMap<&'a str, (Kind, u32)>,
    pub elements: Vec<Element<'a>>,
    pub data: Vec<Data<'a>>,
    /// Names of functions, by index.
    pub names: HashMap<u32, &'a str>,
}

impl<'a> CoreModule<'a> {
    /// Parse a module. Features that cannot be merged are refused.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Left> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            module.section(payload?)?;
        }
        Ok(module)
    }

    fn section(&mut self, payload: Payload<'a>) -> Result<(), Left> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    let group = group?;
                    let alone = group.types().len() == 1;
                    for ty in group.into_types() {
                        let CompositeInnerType::Func(func) = &ty.composite_type.inner else {
                            return Err(unsupported("it uses types of garbage collection"));
                        };
                        // Types are merged by their signatures, so nothing else may distinguish them.
                        if !alone || !is_signature(&ty, func) {
                            return Err(unsupported(
                                "it uses types of functions that are more than their signatures",
                            ));
                        }
                        self.types.push(func.clone());
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let kind = match import.ty {
                        TypeRef::Func(_) => Kind::Func,
                        TypeRef::Table(_) => Kind::Table,
                        TypeRef::Memory(_) => Kind::Memory,
                        TypeRef::Global(_) => Kind::Global,
                        TypeRef::Tag(_) | TypeRef::FuncExact(_) => {
                            return Err(unsupported("it uses exceptions or exact functions"));
                        }
                    };
                    *self.imported.entry(kind).or_default() += 1;
                    self.imports.push(Import {
                        module: import.module,
                        name: import.name,
                        kind,
                        ty: import.ty,
                    });
                }
            }
            Payload::FunctionSection(section) => {
                self.funcs = section.into_iter().collect::<Result<_, _>>()?
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table?;
                    if !matches!(table.init, wasmparser::TableInit::RefNull) {
                        return Err(unsupported("it has a table whose elements begin with a value"));
                    }
                    self.tables.push(table.ty);
                }
            }
            Payload::MemorySection(section) => {
                self.memories = section.into_iter().collect::<Result<_, _>>()?
            }
            Payload::GlobalSection(section) => {
                self.globals = section.into_iter().collect::<Result<_, _>>()?
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.exports.insert(export.name, (Kind::of(export.kind)?, export.index));
                }
            }
            Payload::StartSection { .. } => return Err(unsupported("a module of it has a start function")),
            Payload::TagSection(_) => return Err(unsupported("it uses exceptions")),
            Payload::ElementSection(section) => {
                self.elements = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::DataSection(section) => self.data = section.into_iter().collect::<Result<_, _>>()?,
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::CustomSection(custom) => {
                if let KnownCustom::Name(names) = custom.as_known() {
                    self.names(names);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Names that cannot be parsed are ignored.
    fn names(&mut self, section: wasmparser::NameSectionReader<'a>) {
        for subsection in section.into_iter().flatten() {
            if let Name::Function(map) = subsection {
                self.names.extend(map.into_iter().flatten().map(|naming| (naming.index, naming.name)));
            }
        }
    }

    /// How many items of a kind are imported: the indices of definitions start there.
    pub fn imported(&self, kind: Kind) -> u32 {
        self.imported.get(&kind).copied().unwrap_or(0)
    }

    /// The import with this index among those of its kind.
    pub fn import(&self, kind: Kind, index: u32) -> Option<&Import<'a>> {
        self.imports.iter().filter(|import| import.kind == kind).nth(index as usize)
    }

    /// The type of a defined function.
    pub fn func_type(&self, defined: u32) -> &FuncType {
        &self.types[self.funcs[defined as usize] as usize]
    }

    pub fn global_type(&self, defined: u32) -> GlobalType {
        self.globals[defined as usize].ty
    }

    /// The imported tables whose contents change when this module is instantiated.
    pub fn filled_tables(&self) -> impl Iterator<Item = &Import<'a>> {
        let tables = self.elements.iter().filter_map(|element| match element.kind {
            ElementKind::Active { table_index, .. } => Some(table_index.unwrap_or(0)),
            _ => None,
        });
        let tables: BTreeSet<u32> = tables.collect();
        tables.into_iter().filter_map(|table| self.import(Kind::Table, table))
    }

    /// Whether the memory's contents change when this module is instantiated.
    pub fn fills_memory(&self) -> bool {
        self.data.iter().any(|data| matches!(data.kind, DataKind::Active { .. }))
    }
}

/// Whether a function type is no more than its signature: no supertypes or subtypes, and no references to other types.
fn is_signature(ty: &SubType, func: &FuncType) -> bool {
    let composite = &ty.composite_type;
    let linked = composite.descriptor_idx.or(composite.describes_idx).or(ty.supertype_idx);
    let mut types = func.params().iter().chain(func.results());
    let refers = types.any(|ty| {
        matches!(ty, ValType::Ref(ty) if matches!(ty.heap_type(), HeapType::Concrete(_) | HeapType::Exact(_)))
    });
    ty.is_final && !composite.shared && linked.is_none() && !refers
}
