//! Chooses the core instances to merge, and resolves the origin of each of their imports.
//!
//! The members are the instance that defines the memory, the instances that import from it or from other members, and
//! stateless instances that members import from. The fixup is not a member: it imports host functions that need the
//! members' memory, so it is instantiated after them. Neither is the shim, which has its own table for the fixup to
//! fill and is instantiated before them.

use crate::core_module::CoreModule;
use crate::outline::{Item, Kind, Outline, Source};
use crate::{Left, unsupported};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wasmparser::{CanonicalFunction, CanonicalOption, Instance};

/// The resolved origin of a core item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin<'a> {
    /// A definition of a member, by its index among the member's definitions of this kind.
    Member { member: usize, kind: Kind, index: u32 },
    /// An export of an instance that is not a member.
    Export { instance: u32, kind: Kind, name: &'a str },
    /// A function of the host or the component model, by its index among the core functions.
    Canonical { func: u32 },
}

/// A core instance and its module.
pub struct Instantiated<'a> {
    pub module: u32,
    pub code: CoreModule<'a>,
    args: HashMap<&'a str, u32>,
}

/// How the component is linked.
pub struct Linking<'a> {
    outline: &'a Outline<'a>,
    /// All instances of modules, by index of the core instance.
    pub instantiated: BTreeMap<u32, Instantiated<'a>>,
    /// The instances to merge, in the order of their instantiation.
    pub members: Vec<u32>,
}

impl<'a> Linking<'a> {
    pub fn of(outline: &'a Outline<'a>) -> Result<Self, Left> {
        let mut instantiated = BTreeMap::new();
        for (index, instance) in outline.instances.iter().enumerate() {
            if let Instance::Instantiate { module_index, args } = instance {
                let module = *module_index;
                let code = CoreModule::read(outline.modules[module as usize])?;
                let args = args.iter().map(|arg| (arg.name, arg.index)).collect();
                instantiated.insert(index as u32, Instantiated { module, code, args });
            }
        }
        let mut linking = Self { outline, instantiated, members: Vec::new() };
        linking.members = linking.choose()?;
        linking.refuse_other_orders()?;
        Ok(linking)
    }

    /// After merging, all members are instantiated at once. Refuse components in which that would be observable.
    fn refuse_other_orders(&self) -> Result<(), Left> {
        let is_member =
            |item: &Item<'_>| matches!(item, Item::Instantiate(made) if self.members.contains(made));
        let first = self.outline.items.iter().position(is_member);
        let last = self.outline.items.iter().rposition(is_member);
        if self.outline.running.iter().any(|at| first < Some(*at) && Some(*at) < last) {
            return Err(unsupported("it makes instances of components between those of its modules"));
        }
        let (mut by_members, mut by_others) = (BTreeSet::new(), BTreeSet::new());
        for index in self.instantiated.keys() {
            let filled = if self.members.contains(index) { &mut by_members } else { &mut by_others };
            // What others write to tables of members still comes after the members.
            let tables = self.filled_tables(*index)?;
            filled.extend(tables.into_iter().filter(|(definer, _)| !self.members.contains(definer)));
        }
        if !by_members.is_disjoint(&by_others) {
            return Err(unsupported("one of its modules fills a table that another fills as well"));
        }
        Ok(())
    }

    fn choose(&self) -> Result<Vec<u32>, Left> {
        let with_memory =
            |(index, made): (&u32, &Instantiated)| (!made.code.memories.is_empty()).then_some(*index);
        let roots: Vec<u32> = self.instantiated.iter().filter_map(with_memory).collect();
        let [root] = roots[..] else {
            return Err(if roots.is_empty() { Left::Flat } else { unsupported("it has several memories") });
        };
        let mut suppliers = BTreeMap::new();
        let mut needs = BTreeMap::new();
        for index in self.instantiated.keys() {
            let (from, through) = self.needs_of(*index)?;
            suppliers.insert(*index, from);
            needs.insert(*index, through);
        }
        let family = self.family(root, &suppliers);
        // They are in the order of their instantiation, so an instance that is too late is known before those that need
        // it, and before those that may overwrite what it wrote.
        let mut late = BTreeSet::new();
        let (mut memory_filled, mut tables_filled) = (false, BTreeSet::new());
        for index in &family {
            let (memory, tables) =
                (self.instantiated[index].code.fills_memory(), self.filled_tables(*index)?);
            if !needs[index].is_disjoint(&family)
                || !suppliers[index].is_disjoint(&late)
                || (memory && memory_filled)
                || !tables.is_disjoint(&tables_filled)
            {
                late.insert(*index);
                memory_filled |= memory;
                tables_filled.extend(tables);
            }
        }
        let members: Vec<u32> = family.difference(&late).copied().collect();
        if members.len() < 2 || !members.contains(&root) {
            return Err(Left::Flat);
        }
        let mut modules = BTreeSet::new();
        for made in self.instantiated.values() {
            if !modules.insert(made.module) {
                return Err(unsupported("one of its modules is instantiated twice"));
            }
        }
        Ok(members)
    }

    /// The instances that could be merged with the one that has the memory. `suppliers`: the instances each imports
    /// from.
    fn family(&self, root: u32, suppliers: &BTreeMap<u32, BTreeSet<u32>>) -> BTreeSet<u32> {
        let mut family = BTreeSet::from([root]);
        loop {
            let before = family.len();
            for (index, from) in suppliers {
                if !from.is_disjoint(&family) {
                    family.insert(*index);
                }
            }
            let serving: BTreeSet<u32> = family.iter().flat_map(|index| &suppliers[index]).copied().collect();
            family.extend(serving.into_iter().filter(|index| {
                suppliers[index].is_empty() && self.instantiated[index].code.tables.is_empty()
            }));
            // Other instances may import from those just added. After a merge they would import from the merged module,
            // so they belong to the family as well.
            if family.len() == before {
                return family;
            }
        }
    }

    /// The imported tables that an instance fills at its instantiation, each by the instance that defines it and its
    /// index there.
    fn filled_tables(&self, instance: u32) -> Result<BTreeSet<(u32, u32)>, Left> {
        let tables = self.instantiated[&instance].code.filled_tables();
        tables.map(|import| self.table(instance, import.module, import.name)).collect()
    }

    /// The definition of a table that an instance imports, looked up through instances that only re-export it.
    fn table(&self, mut instance: u32, mut module: &'a str, mut name: &'a str) -> Result<(u32, u32), Left> {
        loop {
            let Found::Export { instance: from, name: export, .. } = self.import(instance, module, name)?
            else {
                return Err(missing(name));
            };
            let code = &self.instantiated[&from].code;
            let (_, index) = code.exports.get(export).ok_or_else(|| missing(export))?;
            match code.import(Kind::Table, *index) {
                Some(import) => (instance, module, name) = (from, import.module, import.name),
                None => return Ok((from, *index)),
            }
        }
    }

    /// The instances that an instance imports from, and those that its imported functions need.
    fn needs_of(&self, index: u32) -> Result<(BTreeSet<u32>, BTreeSet<u32>), Left> {
        let (mut from, mut through) = (BTreeSet::new(), BTreeSet::new());
        for import in &self.instantiated[&index].code.imports {
            match self.import(index, import.module, import.name)? {
                Found::Export { instance, .. } => {
                    from.insert(instance);
                }
                Found::Canonical { func } => {
                    if let Source::Canonical(function) = &self.outline.funcs[func as usize] {
                        for (kind, item) in core_items(function) {
                            if let Found::Export { instance, .. } = self.core(kind, item)? {
                                through.insert(instance);
                            }
                        }
                    }
                }
            }
        }
        Ok((from, through))
    }

    /// The origin of an import of an instance.
    pub fn imported(&self, instance: u32, module: &str, name: &str) -> Result<Origin<'a>, Left> {
        let found = self.import(instance, module, name)?;
        self.origin(found)
    }

    /// The origin of a core item of the component.
    pub fn item(&self, kind: Kind, index: u32) -> Result<Origin<'a>, Left> {
        let found = self.core(kind, index)?;
        self.origin(found)
    }

    /// The origin of an item in a member's index space.
    pub fn local(&self, member: usize, kind: Kind, index: u32) -> Result<Origin<'a>, Left> {
        let instance = self.members[member];
        let code = &self.instantiated[&instance].code;
        match index.checked_sub(code.imported(kind)) {
            Some(index) => Ok(Origin::Member { member, kind, index }),
            None => {
                let import = code.import(kind, index).ok_or_else(|| missing("an import"))?;
                self.imported(instance, import.module, import.name)
            }
        }
    }

    pub fn code(&self, member: usize) -> &CoreModule<'a> {
        &self.instantiated[&self.members[member]].code
    }

    /// Resolve an export through its instance, if that is a member.
    fn origin(&self, found: Found<'a>) -> Result<Origin<'a>, Left> {
        match found {
            Found::Canonical { func } => Ok(Origin::Canonical { func }),
            Found::Export { instance, kind, name } => {
                let Ok(member) = self.members.binary_search(&instance) else {
                    return Ok(Origin::Export { instance, kind, name });
                };
                let export = self.code(member).exports.get(name).ok_or_else(|| missing(name))?;
                self.local(member, export.0, export.1)
            }
        }
    }

    fn import(&self, instance: u32, module: &str, name: &str) -> Result<Found<'a>, Left> {
        let from = self.instantiated[&instance].args.get(module).ok_or_else(|| missing(module))?;
        self.export(*from, name)
    }

    fn export(&self, instance: u32, name: &str) -> Result<Found<'a>, Left> {
        match &self.outline.instances[instance as usize] {
            Instance::Instantiate { .. } => {
                let exports = &self.instantiated[&instance].code.exports;
                let (name, (kind, _)) = exports.get_key_value(name).ok_or_else(|| missing(name))?;
                Ok(Found::Export { instance, kind: *kind, name })
            }
            Instance::FromExports(exports) => {
                let export =
                    exports.iter().find(|export| export.name == name).ok_or_else(|| missing(name))?;
                self.core(Kind::of(export.kind)?, export.index)
            }
        }
    }

    fn core(&self, kind: Kind, index: u32) -> Result<Found<'a>, Left> {
        match &self.outline.sources(kind)[index as usize] {
            Source::Export { instance, name } => self.export(*instance, name),
            Source::Canonical(_) => Ok(Found::Canonical { func: index }),
        }
    }
}

/// Like [`Origin`], with the instances before the merge.
enum Found<'a> {
    Export { instance: u32, kind: Kind, name: &'a str },
    Canonical { func: u32 },
}

fn missing(what: &str) -> Left {
    Left::Damaged(format!("{what:?} is missing"))
}

/// The core items that a function of the component model refers to.
pub fn core_items(function: &CanonicalFunction) -> Vec<(Kind, u32)> {
    use CanonicalFunction as F;
    let mut items = Vec::new();
    let options: &[CanonicalOption] = match function {
        F::Lift { core_func_index, options, .. } => {
            items.push((Kind::Func, *core_func_index));
            options
        }
        F::Lower { options, .. }
        | F::TaskReturn { options, .. }
        | F::StreamRead { options, .. }
        | F::StreamWrite { options, .. }
        | F::FutureRead { options, .. }
        | F::FutureWrite { options, .. }
        | F::ErrorContextNew { options }
        | F::ErrorContextDebugMessage { options } => options,
        F::WaitableSetWait { memory, .. } | F::WaitableSetPoll { memory, .. } => {
            items.push((Kind::Memory, *memory));
            &[]
        }
        F::ThreadSpawnIndirect { table_index, .. } | F::ThreadNewIndirect { table_index, .. } => {
            items.push((Kind::Table, *table_index));
            &[]
        }
        _ => &[],
    };
    for option in options {
        match option {
            CanonicalOption::Memory(index) => items.push((Kind::Memory, *index)),
            CanonicalOption::Realloc(index)
            | CanonicalOption::PostReturn(index)
            | CanonicalOption::Callback(index) => {
                items.push((Kind::Func, *index));
            }
            _ => {}
        }
    }
    items
}
