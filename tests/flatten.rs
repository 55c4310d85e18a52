//! Flattened components do what the originals do: a corpus of small linked components, run both ways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "flatten/damage.rs"]
mod damage;
#[path = "flatten/run.rs"]
mod run;
#[path = "flatten/script.rs"]
mod script;

use flatten::{Left, flatten};
use run::{Outcome, Program};
use script::Script;
use std::fs;
use std::path::Path;
use wasmparser::{Name, Parser, Payload};
use wasmtime::component::types::{Component, ComponentItem};

fn corpus() -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/flatten");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wat"));
    paths.sort();
    paths.iter().map(|path| Script::read(path)).collect()
}

fn mergeable() -> impl Iterator<Item = Script> {
    corpus().into_iter().filter(|script| script.left.is_none())
}

fn flat(script: &Script, names: bool) -> Vec<u8> {
    flatten(&script.bytes, names).unwrap_or_else(|left| panic!("{}: left, because {left}", script.name))
}

/// How many core modules there are at a component's own level.
fn modules(bytes: &[u8]) -> usize {
    let mut depth = 0;
    let mut count = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } => {
                count += usize::from(depth == 0);
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    count
}

/// The names of functions, in all core modules.
fn names(bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::CustomSection(section) = payload.unwrap()
            && let wasmparser::KnownCustom::Name(section) = section.as_known()
        {
            for subsection in section {
                if let Name::Function(map) = subsection.unwrap() {
                    names.extend(map.into_iter().map(|naming| naming.unwrap().name.to_owned()));
                }
            }
        }
    }
    names
}

#[test]
fn flattened_components_do_what_the_originals_do() {
    let engine = run::engine();
    assert!(mergeable().count() > 10);
    for script in mergeable() {
        let flat = flat(&script, true);
        let mut programs = [&script.bytes, &flat].map(|bytes| Program::new(&engine, bytes).unwrap());
        for call in &script.calls {
            let [original, flattened] = programs.each_mut().map(|program| program.call(call));
            let shown = format!("{}: {call}", script.name);
            assert_eq!(original, flattened, "{shown}: original and flattened");
            match (&original, call.trap()) {
                (Outcome::Result(result), _) => assert_eq!(result, &call.expected, "{shown}"),
                (Outcome::Trap(said, functions), Some((part, function))) => {
                    assert!(said.contains(part), "{shown}: {said}");
                    assert_eq!(functions.first().map(String::as_str), function, "{shown}");
                }
                (trap, None) => panic!("{shown}: {trap:?}"),
            }
        }
        let [original, flattened] = programs.map(|program| program.heard());
        assert_eq!(original, flattened, "{}: what the host heard", script.name);
    }
}

#[test]
fn flattened_components_look_the_same_from_outside() {
    for script in mergeable() {
        let engine = run::engine();
        let flat = flat(&script, false);
        assert!(modules(&flat) < modules(&script.bytes), "{}", script.name);
        assert_eq!(modules(&flat), script.modules.unwrap_or(1), "{}: core modules", script.name);
        let [original, flattened] = [&script.bytes, &flat]
            .map(|bytes| wasmtime::component::Component::new(&engine, bytes).unwrap().component_type());
        same(&engine, &original, &flattened, &script.name);
    }
}

fn same(engine: &wasmtime::Engine, a: &Component, b: &Component, name: &str) {
    assert_eq!(a.imports(engine).len(), b.imports(engine).len(), "{name}");
    for ((name_a, a), (name_b, b)) in a.imports(engine).zip(b.imports(engine)) {
        assert_eq!(name_a, name_b, "{name}");
        same_item(engine, &a.ty, &b.ty, name_a);
    }
    assert_eq!(a.exports(engine).len(), b.exports(engine).len(), "{name}");
    for ((name_a, a), (name_b, b)) in a.exports(engine).zip(b.exports(engine)) {
        assert_eq!(name_a, name_b, "{name}");
        same_item(engine, &a.ty, &b.ty, name_a);
    }
}

fn same_item(engine: &wasmtime::Engine, a: &ComponentItem, b: &ComponentItem, name: &str) {
    match (a, b) {
        (ComponentItem::ComponentFunc(a), ComponentItem::ComponentFunc(b)) => {
            assert!(a.params().eq(b.params()) && a.results().eq(b.results()), "{name}");
        }
        (ComponentItem::ComponentInstance(a), ComponentItem::ComponentInstance(b)) => {
            assert_eq!(a.exports(engine).len(), b.exports(engine).len(), "{name}");
            for ((name_a, a), (name_b, b)) in a.exports(engine).zip(b.exports(engine)) {
                assert_eq!(name_a, name_b, "{name}");
                same_item(engine, &a.ty, &b.ty, name_a);
            }
        }
        _ => panic!("{name}: {a:?} and {b:?}"),
    }
}

#[test]
fn traps_have_no_names_of_functions_when_these_are_not_wanted() {
    let engine = run::engine();
    let mut seen = 0;
    for script in mergeable() {
        let flat = flat(&script, false);
        let names = names(&flat);
        let mut program = Program::new(&engine, &flat).unwrap();
        for call in &script.calls {
            let outcome = program.call(call);
            if let Some((_, Some(function))) = call.trap() {
                seen += 1;
                assert!(!names.iter().any(|name| name == function), "{}: {function}", script.name);
                let nameless = |functions: &[String]| functions.iter().all(|name| name == "?");
                assert!(
                    matches!(&outcome, Outcome::Trap(_, functions) if nameless(functions)),
                    "{}: {outcome:?}",
                    script.name
                );
            }
        }
    }
    assert!(seen > 5);
}

#[test]
fn what_nothing_reaches_is_gone() {
    for script in mergeable() {
        let (before, after) = (names(&script.bytes), names(&flat(&script, true)));
        for function in &script.gone {
            assert!(before.contains(function), "{}: {function}", script.name);
            assert!(!after.contains(function), "{}: {function}", script.name);
        }
    }
}

#[test]
fn flattening_twice_changes_nothing_and_is_the_same_each_time() {
    for script in mergeable() {
        let once = flat(&script, true);
        assert_eq!(once, flat(&script, true), "{}", script.name);
        match flatten(&once, true) {
            Ok(twice) => assert_eq!(once, twice, "{}", script.name),
            Err(left) => assert_eq!(left, Left::Flat, "{}", script.name),
        }
    }
}

#[test]
fn what_cannot_be_merged_is_left_and_the_reason_said() {
    let mut seen = 0;
    for script in corpus() {
        let Some(reason) = &script.left else { continue };
        seen += 1;
        let left = flatten(&script.bytes, true).expect_err(&script.name);
        assert_eq!(&left.to_string(), reason, "{}", script.name);
    }
    assert!(seen > 10);
}

#[test]
fn damaged_bytes_are_said_to_be_damaged() {
    for bytes in [&b""[..], b"\0asm", b"no component at all", b"\0asm\x0d\0\x01\0\xff"] {
        assert!(matches!(flatten(bytes, true), Err(Left::Damaged(_))), "{bytes:?}");
    }
    for script in mergeable() {
        let half = &script.bytes[..script.bytes.len() / 2];
        assert!(matches!(flatten(half, true), Err(Left::Damaged(_))), "{}", script.name);
    }
}

/// A parser may take the end of the bytes for the end of a module inside.
#[test]
fn a_component_that_ends_anywhere_before_its_end_is_damaged_or_flat() {
    for script in mergeable() {
        for end in 0..script.bytes.len() {
            if let Err(left @ Left::Unsupported(_)) = flatten(&script.bytes[..end], true) {
                panic!("{}, ending at {end}: {left}", script.name);
            }
        }
    }
}
