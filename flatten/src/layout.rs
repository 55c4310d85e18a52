//! Decides what to keep of the members, which globals are constant, and the index of each item in the merged module.

use crate::Left;
use crate::constant::{Constant, evaluate};
use crate::core_module::CoreModule;
use crate::linking::{Linking, Origin};
use crate::outline::Kind;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use wasmparser::{ConstExpr, DataKind, ElementItems, ElementKind, Operator, TypeRef};

/// An import of the merged module. `ty` is its type as `member` declares it.
#[derive(Debug)]
pub struct OuterImport<'a> {
    pub origin: Origin<'a>,
    pub member: usize,
    pub ty: TypeRef,
}

/// The merged module, before it is written.
#[derive(Debug, Default)]
pub struct Layout<'a> {
    pub imports: Vec<OuterImport<'a>>,
    /// Definitions in output order: the member, and its own index for it.
    pub funcs: Vec<(usize, u32)>,
    pub tables: Vec<(usize, u32)>,
    pub memories: Vec<(usize, u32)>,
    pub globals: Vec<(usize, u32)>,
    /// The index of every kept item, by origin.
    index: HashMap<Origin<'a>, u32>,
    /// The same for each index space of each member, which is faster to look up.
    local: Vec<HashMap<Kind, Vec<Place>>>,
    constants: HashMap<(usize, u32), Constant>,
    /// The exports and their names.
    pub exports: BTreeMap<Origin<'a>, String>,
}

/// What an index in a member's code means in the merged module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    Index(u32),
    Constant(Constant),
    /// Nothing that is kept refers to it.
    Gone,
}

impl<'a> Layout<'a> {
    /// `used`: definitions that are used outside of the members.
    pub fn of(linking: &Linking<'a>, used: &BTreeSet<Origin<'a>>) -> Result<Self, Left> {
        let mut reach = Reach::new(linking)?;
        for origin in used {
            reach.add(origin.clone());
        }
        for member in 0..linking.members.len() {
            reach.segments(member)?;
        }
        reach.follow()?;
        let mut layout = Self { exports: names(linking, used), ..Self::default() };
        layout.constants = constants(linking, &reach, used)?;
        layout.place(linking, &reach)?;
        Ok(layout)
    }

    /// Assign all indices: imports first, then definitions in the order of the members.
    fn place(&mut self, linking: &Linking<'a>, reach: &Reach<'a, '_>) -> Result<(), Left> {
        let mut next: HashMap<Kind, u32> = HashMap::new();
        for member in 0..linking.members.len() {
            for import in &linking.code(member).imports {
                let origin = linking.imported(linking.members[member], import.module, import.name)?;
                if matches!(origin, Origin::Member { .. }) || !reach.seen.contains(&origin) {
                    continue;
                }
                if !self.index.contains_key(&origin) {
                    self.number(&mut next, import.kind, origin.clone());
                    self.imports.push(OuterImport { origin, member, ty: import.ty });
                }
            }
        }
        for kind in [Kind::Func, Kind::Table, Kind::Memory, Kind::Global] {
            for member in 0..linking.members.len() {
                for index in 0..defined(linking.code(member), kind) {
                    let origin = Origin::Member { member, kind, index };
                    let constant = kind == Kind::Global
                        && self.constants.contains_key(&(member, index))
                        && !self.exports.contains_key(&origin);
                    if !reach.seen.contains(&origin) || constant {
                        continue;
                    }
                    self.number(&mut next, kind, origin);
                    match kind {
                        Kind::Func => self.funcs.push((member, index)),
                        Kind::Table => self.tables.push((member, index)),
                        Kind::Memory => self.memories.push((member, index)),
                        Kind::Global => self.globals.push((member, index)),
                    }
                }
            }
        }
        let constant = |origin: &Origin<'a>| match origin {
            Origin::Member { member, kind: Kind::Global, index } => self.constants.get(&(*member, *index)),
            _ => None,
        };
        // An exported constant is also a global, but the members do not use that.
        let place = |origin: &Origin<'a>| match (constant(origin), self.index.get(origin)) {
            (Some(value), _) => Place::Constant(*value),
            (None, Some(index)) => Place::Index(*index),
            (None, None) => Place::Gone,
        };
        self.local = reach
            .origins
            .iter()
            .map(|spaces| {
                spaces.iter().map(|(kind, space)| (*kind, space.iter().map(place).collect())).collect()
            })
            .collect();
        Ok(())
    }

    fn number(&mut self, next: &mut HashMap<Kind, u32>, kind: Kind, origin: Origin<'a>) {
        let number = next.entry(kind).or_default();
        self.index.insert(origin, *number);
        *number += 1;
    }

    /// What an index in the code of a member means.
    pub fn find(&self, member: usize, kind: Kind, index: u32) -> Place {
        self.local[member][&kind].get(index as usize).copied().unwrap_or(Place::Gone)
    }

    /// The index in the merged module.
    pub fn index_of(&self, origin: &Origin<'a>) -> Option<u32> {
        self.index.get(origin).copied()
    }

    /// The value of an expression, if it is known before run time.
    pub fn evaluate(&self, member: usize, expr: &ConstExpr<'_>) -> Option<Constant> {
        evaluate(expr, |index| match self.find(member, Kind::Global, index) {
            Place::Constant(value) => Some(value),
            _ => None,
        })
    }
}

fn defined(code: &CoreModule<'_>, kind: Kind) -> u32 {
    (match kind {
        Kind::Func => code.funcs.len(),
        Kind::Table => code.tables.len(),
        Kind::Memory => code.memories.len(),
        Kind::Global => code.globals.len(),
    }) as u32
}

/// Names for what is used outside: the original ones, numbered if several modules export the same name.
fn names<'a>(linking: &Linking<'a>, used: &BTreeSet<Origin<'a>>) -> BTreeMap<Origin<'a>, String> {
    let mut old: HashMap<Origin<'a>, &str> = HashMap::new();
    for member in 0..linking.members.len() {
        let mut exports: Vec<_> = linking.code(member).exports.iter().collect();
        exports.sort();
        for (name, (kind, index)) in exports {
            if let Ok(origin) = linking.local(member, *kind, *index) {
                old.entry(origin).or_insert(name);
            }
        }
    }
    let mut taken = HashSet::new();
    let mut name = |origin: &Origin<'a>| {
        let wanted = old.get(origin).copied().unwrap_or("item");
        let mut name = wanted.to_owned();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}#{number}");
        }
        name
    };
    used.iter().map(|origin| (origin.clone(), name(origin))).collect()
}

/// What is reachable from the outside, and from the instantiation of the module.
struct Reach<'a, 'l> {
    linking: &'l Linking<'a>,
    /// The origin of everything in the index spaces of each member.
    origins: Vec<HashMap<Kind, Vec<Origin<'a>>>>,
    seen: HashSet<Origin<'a>>,
    /// Functions of members whose code is not scanned yet.
    pending: Vec<(usize, u32)>,
    /// Globals that code writes to.
    written: HashSet<Origin<'a>>,
}

impl<'a, 'l> Reach<'a, 'l> {
    fn new(linking: &'l Linking<'a>) -> Result<Self, Left> {
        let mut origins = Vec::new();
        for member in 0..linking.members.len() {
            let code = linking.code(member);
            let mut spaces = HashMap::new();
            for kind in [Kind::Func, Kind::Table, Kind::Memory, Kind::Global] {
                let mut space = Vec::new();
                for import in code.imports.iter().filter(|import| import.kind == kind) {
                    space.push(linking.imported(linking.members[member], import.module, import.name)?);
                }
                space.extend((0..defined(code, kind)).map(|index| Origin::Member { member, kind, index }));
                spaces.insert(kind, space);
            }
            origins.push(spaces);
        }
        Ok(Self { linking, origins, seen: HashSet::new(), pending: Vec::new(), written: HashSet::new() })
    }

    fn add(&mut self, origin: Origin<'a>) {
        if self.seen.contains(&origin) {
            return;
        }
        if let Origin::Member { member, kind: Kind::Func, index } = origin {
            self.pending.push((member, index));
        }
        self.seen.insert(origin);
    }

    fn local(&mut self, member: usize, kind: Kind, index: u32) -> Result<(), Left> {
        let origin = self.origins[member][&kind].get(index as usize).cloned();
        self.add(origin.ok_or_else(|| Left::Damaged(format!("{kind:?} {index} is missing")))?);
        Ok(())
    }

    /// Segments and values of globals are evaluated when the module is instantiated, so what they name is reachable.
    /// Tables and memories are few: all are kept.
    fn segments(&mut self, member: usize) -> Result<(), Left> {
        let linking = self.linking;
        let code = linking.code(member);
        for kind in [Kind::Table, Kind::Memory] {
            let all = self.origins[member][&kind].clone();
            all.into_iter().for_each(|origin| self.add(origin));
        }
        for element in &code.elements {
            if let ElementKind::Active { offset_expr, .. } = &element.kind {
                self.expression(member, offset_expr)?;
            }
            match &element.items {
                ElementItems::Functions(functions) => {
                    for function in functions.clone() {
                        self.local(member, Kind::Func, function?)?;
                    }
                }
                ElementItems::Expressions(_, expressions) => {
                    for expression in expressions.clone() {
                        self.expression(member, &expression?)?;
                    }
                }
            }
        }
        for data in &code.data {
            if let DataKind::Active { offset_expr, .. } = &data.kind {
                self.expression(member, offset_expr)?;
            }
        }
        for global in &code.globals {
            self.expression(member, &global.init_expr)?;
        }
        Ok(())
    }

    fn expression(&mut self, member: usize, expression: &ConstExpr<'_>) -> Result<(), Left> {
        for operator in expression.get_operators_reader() {
            self.operator(member, &operator?)?;
        }
        Ok(())
    }

    fn follow(&mut self) -> Result<(), Left> {
        let linking = self.linking;
        while let Some((member, index)) = self.pending.pop() {
            for operator in linking.code(member).bodies[index as usize].get_operators_reader()? {
                self.operator(member, &operator?)?;
            }
        }
        Ok(())
    }

    fn operator(&mut self, member: usize, operator: &Operator<'_>) -> Result<(), Left> {
        use Operator as O;
        match *operator {
            O::Call { function_index } | O::ReturnCall { function_index } | O::RefFunc { function_index } => {
                self.local(member, Kind::Func, function_index)
            }
            O::GlobalGet { global_index } => self.local(member, Kind::Global, global_index),
            O::GlobalSet { global_index } => {
                self.local(member, Kind::Global, global_index)?;
                let origin = &self.origins[member][&Kind::Global][global_index as usize];
                self.written.insert(origin.clone());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Globals of members that never change, because nothing can write to them.
fn constants<'a>(
    linking: &Linking<'a>,
    reach: &Reach<'a, '_>,
    used: &BTreeSet<Origin<'a>>,
) -> Result<HashMap<(usize, u32), Constant>, Left> {
    let mut values: HashMap<(usize, u32), Constant> = HashMap::new();
    // The value of a global may depend on a global of an earlier member, so we go in the order of the members.
    for (member, spaces) in reach.origins.iter().enumerate() {
        for (index, global) in linking.code(member).globals.iter().enumerate() {
            let origin = Origin::Member { member, kind: Kind::Global, index: index as u32 };
            let written = reach.written.contains(&origin) || (global.ty.mutable && used.contains(&origin));
            if global.ty.shared || written {
                continue;
            }
            let known = |index: u32| match spaces[&Kind::Global].get(index as usize)? {
                Origin::Member { member, index, .. } => values.get(&(*member, *index)).copied(),
                _ => None,
            };
            if let Some(value) = evaluate(&global.init_expr, known) {
                values.insert((member, index as u32), value);
            }
        }
    }
    Ok(values)
}
