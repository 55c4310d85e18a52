//! Which core instances are merged, and where each of their imports comes from in the end.
//!
//! Members are the instances around the one that defines the memory: those that import from it or from other members,
//! and stateless ones that members import from. What needs members to be there before it can be made, because it imports
//! functions of the host that need their memory, comes after them and is none: that is the fixup. The shim, which has a
//! table of its own that the fixup fills, comes before.

use crate::core_module::CoreModule;
use crate::outline::{Item, Kind, Outline, Source};
use crate::{Left, unsupported};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wasmparser::{CanonicalFunction, CanonicalOption, Instance};

/// Where something comes from in the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin<'a> {
    /// A definition of a member, by its number among the member's definitions of this kind.
    Member { member: usize, kind: Kind, index: u32 },
    /// An export of an instance that is no member.
    Export { instance: u32, kind: Kind, name: &'a str },
    /// A function of the host or the component model, by its number among the core functions.
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
    /// All that were made of a module, by the number of the core instance.
    pub instantiated: BTreeMap<u32, Instantiated<'a>>,
    /// Those that are merged, in the order in which they are instantiated.
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

    /// All that the members do when they are made is done at once. That must not be seen.
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
            // What others write to tables of members comes after the members still.
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
        // They are in the order in which they are made, so what comes too late is known before what needs it, and
        // before what may write over what it wrote.
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

    /// The instances that could be merged with the one that has the memory. `suppliers`: what each imports from.
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
            // Others may import from those that were added last, and once merged they would be found with them.
            if family.len() == before {
                return family;
            }
        }
    }

    /// The tables of others whose contents change when an instance is made, by the instance that defines each, and its
    /// number there.
    fn filled_tables(&self, instance: u32) -> Result<BTreeSet<(u32, u32)>, Left> {
        let tables = self.instantiated[&instance].code.filled_tables();
        tables.map(|import| self.table(instance, import.module, import.name)).collect()
    }

    /// The definition of a table that an instance imports, through those that only hand it on.
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

    /// The instances that an instance imports from, and those that functions which it imports need.
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

    /// Where an import of an instance comes from.
    pub fn imported(&self, instance: u32, module: &str, name: &str) -> Result<Origin<'a>, Left> {
        let found = self.import(instance, module, name)?;
        self.origin(found)
    }

    /// Where a core item of the component comes from.
    pub fn item(&self, kind: Kind, index: u32) -> Result<Origin<'a>, Left> {
        let found = self.core(kind, index)?;
        self.origin(found)
    }

    /// Where something in a member's index space comes from.
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

    /// Follow an export through its instance, when that is a member.
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

/// As [`Origin`], with instances as they are before they are merged.
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
