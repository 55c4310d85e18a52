//! Flattened components behave like the originals: runs a corpus of small linked components both ways.

mod damage;
mod run;
mod script;

use self::run::{Outcome, Program};
use self::script::Script;
use flatten::{Left, flatten, split};
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

/// The number of core modules at a component's top level.
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

/// The function names of all core modules.
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
fn split_components_do_what_whole_ones_do() {
    let engine = run::engine();
    let mut whole = Vec::new();
    for script in mergeable() {
        let flat = flat(&script, true);
        let split = match split(&flat) {
            Ok(split) => split,
            Err(left) => {
                whole.push((script.name, left.to_string()));
                continue;
            }
        };
        let Ok(parts) = Program::of_parts(&engine, &split) else {
            whole.push((script.name, "its parts are not valid".to_owned()));
            continue;
        };
        let mut programs = [Program::new(&engine, &flat).unwrap(), parts];
        for call in &script.calls {
            let [whole, parts] = programs.each_mut().map(|program| program.call(call));
            assert_eq!(whole, parts, "{}: {call}", script.name);
        }
        let [whole, parts] = programs.map(|program| program.heard());
        assert_eq!(whole, parts, "{}: what the host heard", script.name);
    }
    let whole: Vec<(&str, &str)> = whole.iter().map(|(name, left)| (name.as_str(), left.as_str())).collect();
    let expected = [
        // A module that stays imports a memory of a certain size, and the code's memory may have any size.
        ("adapter", "its parts are not valid"),
        ("bulk", "what its memory begins with is not known"),
        ("destructor", "it has types of core modules"),
        ("late", "several modules fill its memory"),
        ("late_segments", "several modules fill its memory"),
        ("tables", "a module has several memories"),
    ];
    assert_eq!(whole, expected);
}

/// Snapshots of different programs differ only in data and globals.
#[test]
fn components_with_other_contents_have_the_same_code() {
    let parts = |script: &str, from: &[u8], to: &[u8]| {
        let script = mergeable().find(|other| other.name == script).unwrap();
        let at = script.bytes.windows(from.len()).position(|bytes| bytes == from).unwrap();
        let mut other = script.bytes.clone();
        other[at..at + from.len()].copy_from_slice(to);
        [&script.bytes, &other].map(|bytes| split(&flatten(bytes, true).unwrap()).unwrap())
    };
    // In "globals": a mutable i32 that fewer functions use than another global.
    for [one, other] in [
        parts("segments", b"MMMMMMM", b"NNNNNNN"),
        parts("globals", b"\x7f\x01\x41\x80\x08\x0b", b"\x7f\x01\x41\x80\x09\x0b"),
    ] {
        assert_eq!(one.code, other.code);
        assert_ne!(one.rest, other.rest);
    }
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

/// A parser may take the end of the bytes for the end of an inner module.
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
