//! Writes the component around the merged module.
//!
//! Definitions at the component's own level keep their places, and so their indices. Core items are written on demand,
//! which also drops what only the members needed.

use crate::linking::{Linking, Origin, core_items};
use crate::merged::Merged;
use crate::outline::{Item, Kind, Outline, Source};
use crate::{Left, unsupported};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, Component, ComponentAliasSection, ComponentSectionId,
    ComponentTypeSection, InstanceSection, ModuleArg, RawSection,
};
use wasmparser::ComponentType;

/// Definitions of the members that are used outside of them.
pub fn used_outside<'a>(outline: &Outline<'a>, linking: &Linking<'a>) -> Result<BTreeSet<Origin<'a>>, Left> {
    let mut used = BTreeSet::new();
    let mut add = |origin: Origin<'a>| {
        // A host function uses the members through its canonical options, such as their memory.
        let through = match &origin {
            Origin::Member { .. } => {
                used.insert(origin);
                return Ok(());
            }
            Origin::Canonical { func } => match &outline.funcs[*func as usize] {
                Source::Canonical(function) => core_items(function),
                Source::Export { .. } => Vec::new(),
            },
            Origin::Export { .. } => Vec::new(),
        };
        for (kind, index) in through {
            if let origin @ Origin::Member { .. } = linking.item(kind, index)? {
                used.insert(origin);
            }
        }
        Ok::<(), Left>(())
    };
    for item in &outline.items {
        match item {
            Item::Lift(lift) => {
                for (kind, index) in core_items(lift) {
                    add(linking.item(kind, index)?)?;
                }
            }
            Item::Types(types) => {
                for ty in types.clone() {
                    if let ComponentType::Resource { dtor: Some(dtor), .. } = ty? {
                        add(linking.item(Kind::Func, dtor)?)?;
                    }
                }
            }
            Item::Instantiate(instance) if !linking.members.contains(instance) => {
                for import in &linking.instantiated[instance].code.imports {
                    add(linking.imported(*instance, import.module, import.name)?)?;
                }
            }
            Item::Section { .. } | Item::Alias(_) | Item::Instantiate(_) => {}
        }
    }
    Ok(used)
}

/// Write the component.
pub fn write<'a>(outline: &Outline<'a>, linking: &Linking<'a>, merged: &Merged<'a>) -> Result<Vec<u8>, Left> {
    let mut writer = Writer {
        outline,
        linking,
        merged,
        component: Component::new(),
        next: HashMap::new(),
        modules: 0,
        instances: 0,
        index: HashMap::new(),
        outer: HashMap::new(),
        whole: None,
        begun: false,
        problem: None,
    };
    for item in &outline.items {
        writer.item(item)?;
    }
    Ok(writer.component.finish())
}

struct Writer<'a, 'w> {
    outline: &'w Outline<'a>,
    linking: &'w Linking<'a>,
    merged: &'w Merged<'a>,
    component: Component,
    /// How many core items of each kind have been written.
    next: HashMap<Kind, u32>,
    modules: u32,
    instances: u32,
    /// The indices of written core items, by origin.
    index: HashMap<Origin<'a>, u32>,
    /// The new indices of instances that are not members, by old index.
    outer: HashMap<u32, u32>,
    /// The instance of the merged module.
    whole: Option<u32>,
    /// We have begun to write it and what it imports.
    begun: bool,
    /// An error from a callback of the encoder, which can only return the encoder's own errors.
    problem: Option<Left>,
}

impl<'a> Writer<'a, '_> {
    fn item(&mut self, item: &Item<'a>) -> Result<(), Left> {
        match item {
            Item::Section { id, content } => {
                let data = &self.outline.bytes[content.clone()];
                self.component.section(&RawSection { id: *id, data });
            }
            Item::Types(types) => {
                let mut section = ComponentTypeSection::new();
                for ty in types.clone() {
                    let written = self.parse_component_type(section.ty(), ty?);
                    self.checked(written)?;
                }
                self.component.section(&section);
            }
            Item::Alias(alias) => {
                let mut section = ComponentAliasSection::new();
                let alias = self.component_alias(alias.clone());
                section.alias(self.checked(alias)?);
                self.component.section(&section);
            }
            Item::Lift(lift) => self.canonical(lift)?,
            // All members exist at the place of the last one. Their instantiation may trap, so it stays even if nothing
            // uses them.
            Item::Instantiate(instance) if self.linking.members.last() == Some(instance) => {
                self.whole()?;
            }
            Item::Instantiate(instance) if self.linking.members.contains(instance) => {}
            Item::Instantiate(instance) => {
                self.instance(*instance)?;
            }
        }
        Ok(())
    }

    fn checked<T>(&mut self, written: Result<T, Error<Infallible>>) -> Result<T, Left> {
        match self.problem.take() {
            Some(problem) => Err(problem),
            None => Ok(written?),
        }
    }

    fn canonical(&mut self, function: &wasmparser::CanonicalFunction) -> Result<(), Left> {
        let mut section = CanonicalFunctionSection::new();
        let written = self.parse_component_canonical(&mut section, function.clone());
        self.checked(written)?;
        self.component.section(&section);
        Ok(())
    }

    /// The index of a core item, which is written first if needed.
    fn core(&mut self, kind: Kind, origin: Origin<'a>) -> Result<u32, Left> {
        if let Some(index) = self.index.get(&origin) {
            return Ok(*index);
        }
        match &origin {
            Origin::Canonical { func } => {
                if let Source::Canonical(function) = &self.outline.funcs[*func as usize] {
                    self.canonical(function)?;
                }
            }
            Origin::Export { instance, name, .. } => {
                let instance = self.instance(*instance)?;
                self.alias(instance, kind, name);
            }
            Origin::Member { .. } => {
                let instance = self.whole()?;
                let merged = self.merged;
                let name = merged.exports.get(&origin);
                let name = name.ok_or_else(|| Left::Damaged(format!("{origin:?} is not exported")))?;
                self.alias(instance, kind, name);
            }
        }
        let next = self.next.entry(kind).or_default();
        let index = *next;
        *next += 1;
        self.index.insert(origin, index);
        Ok(index)
    }

    fn alias(&mut self, instance: u32, kind: Kind, name: &str) {
        let mut section = ComponentAliasSection::new();
        section.alias(Alias::CoreInstanceExport { instance, kind: kind.encoded(), name });
        self.component.section(&section);
    }

    /// The index of an instance that is not a member, which is written first if needed.
    fn instance(&mut self, old: u32) -> Result<u32, Left> {
        if let Some(instance) = self.outer.get(&old) {
            return Ok(*instance);
        }
        let linking = self.linking;
        let made = &linking.instantiated[&old];
        let mut groups: BTreeMap<&str, Vec<(&str, Kind, u32)>> = BTreeMap::new();
        for import in &made.code.imports {
            let origin = linking.imported(old, import.module, import.name)?;
            let index = self.core(import.kind, origin)?;
            groups.entry(import.module).or_default().push((import.name, import.kind, index));
        }
        let mut args = Vec::new();
        for (module, items) in groups {
            args.push((module, ModuleArg::Instance(self.bundle(&items))));
        }
        let module = self.module(self.outline.modules[made.module as usize]);
        let instance = self.instantiate(module, args);
        self.outer.insert(old, instance);
        Ok(instance)
    }

    /// The index of the merged module's instance, which is written first if needed.
    fn whole(&mut self) -> Result<u32, Left> {
        if let Some(instance) = self.whole {
            return Ok(instance);
        }
        if std::mem::replace(&mut self.begun, true) {
            return Err(unsupported("what its modules import needs them in turn"));
        }
        let merged = self.merged;
        let mut items = Vec::new();
        for (number, origin) in merged.imports.iter().enumerate() {
            let kind = match origin {
                Origin::Member { kind, .. } | Origin::Export { kind, .. } => *kind,
                Origin::Canonical { .. } => Kind::Func,
            };
            items.push((number.to_string(), kind, self.core(kind, origin.clone())?));
        }
        let items: Vec<_> = items.iter().map(|(name, kind, index)| (name.as_str(), *kind, *index)).collect();
        let given = self.bundle(&items);
        let module = self.module(&merged.bytes);
        let instance = self.instantiate(module, vec![("", ModuleArg::Instance(given))]);
        self.whole = Some(instance);
        Ok(instance)
    }

    fn module(&mut self, data: &[u8]) -> u32 {
        self.component.section(&RawSection { id: ComponentSectionId::CoreModule as u8, data });
        self.modules += 1;
        self.modules - 1
    }

    /// Write an instance that exports core items.
    fn bundle(&mut self, items: &[(&str, Kind, u32)]) -> u32 {
        let mut section = InstanceSection::new();
        section.export_items(items.iter().map(|(name, kind, index)| (*name, kind.encoded(), *index)));
        self.component.section(&section);
        self.instances += 1;
        self.instances - 1
    }

    fn instantiate(&mut self, module: u32, args: Vec<(&str, ModuleArg)>) -> u32 {
        let mut section = InstanceSection::new();
        section.instantiate(module, args);
        self.component.section(&section);
        self.instances += 1;
        self.instances - 1
    }

    fn renumbered(&mut self, kind: Kind, old: u32) -> u32 {
        let found = self.linking.item(kind, old).and_then(|origin| self.core(kind, origin));
        found.unwrap_or_else(|problem| {
            self.problem.get_or_insert(problem);
            u32::MAX
        })
    }
}

impl Reencode for Writer<'_, '_> {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        Ok(self.renumbered(Kind::Func, index))
    }

    fn table_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        Ok(self.renumbered(Kind::Table, index))
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        Ok(self.renumbered(Kind::Memory, index))
    }
}

impl ReencodeComponent for Writer<'_, '_> {}
