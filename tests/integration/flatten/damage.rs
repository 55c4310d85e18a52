//! Damaged components of the corpus: none makes flattening panic, and those that still run behave the same flattened.

use super::run::{self, Program};
use super::{corpus, script::Call};
use flatten::{Left, flatten, split};
use proptest::prelude::*;
use proptest::sample::Index;

/// A mutation of a component.
#[derive(Debug, Clone)]
enum Damage {
    Flip {
        at: Index,
        to: u8,
    },
    Cut {
        at: Index,
    },
    Remove {
        at: Index,
        length: usize,
    },
    /// Insert a piece of a component of the corpus, or overwrite bytes with it.
    Splice {
        at: Index,
        from: Index,
        length: usize,
        donor: Index,
        over: bool,
    },
}

fn damage() -> impl Strategy<Value = Damage> {
    let splice = (any::<Index>(), any::<Index>(), 1..200usize, any::<Index>(), any::<bool>());
    // Small numbers are often indices and counts, so the result is more often still valid.
    let byte = prop_oneof![0..16u8, any::<u8>()];
    prop_oneof![
        12 => (any::<Index>(), byte).prop_map(|(at, to)| Damage::Flip { at, to }),
        1 => any::<Index>().prop_map(|at| Damage::Cut { at }),
        1 => (any::<Index>(), 1..8usize).prop_map(|(at, length)| Damage::Remove { at, length }),
        2 => splice.prop_map(|(at, from, length, donor, over)| Damage::Splice { at, from, length, donor, over }),
    ]
}

fn damaged(bytes: &[u8], corpus: &[(Vec<u8>, Vec<Call>)], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        match damage {
            Damage::Flip { at, to } => *at.get_mut(&mut bytes) = *to,
            Damage::Cut { at } => bytes.truncate(at.index(bytes.len())),
            Damage::Remove { at, length } => {
                let at = at.index(bytes.len());
                bytes.drain(at..bytes.len().min(at + length));
            }
            Damage::Splice { at, from, length, donor, over } => {
                let donor = &donor.get(corpus).0;
                let from = from.index(donor.len());
                let piece = &donor[from..donor.len().min(from + length)];
                let at = at.index(bytes.len());
                let end = if *over { bytes.len().min(at + piece.len()) } else { at };
                bytes.splice(at..end, piece.iter().copied());
            }
        }
    }
    bytes
}

/// Run the same calls on a component and on its flattened form.
fn compare(engine: &wasmtime::Engine, original: &[u8], flat: &[u8], calls: &[Call]) {
    let Ok(original) = Program::new(engine, original) else { return };
    let flat = Program::new(engine, flat).expect("what the runtime took before it takes flattened");
    compare_programs(original, flat, calls);
}

fn compare_programs(mut original: Program, mut flat: Program, calls: &[Call]) {
    for call in calls {
        let (before, after) = (original.call(call), flat.call(call));
        if before.is_exhaustion() || after.is_exhaustion() {
            return;
        }
        match (&before, &after) {
            // Names of functions may be damaged, so only the text is compared.
            (run::Outcome::Trap(before, _), run::Outcome::Trap(after, _)) => {
                assert_eq!(before, after, "{call}")
            }
            _ => assert_eq!(before, after, "{call}"),
        }
    }
    assert_eq!(original.heard(), flat.heard());
}

#[test]
fn damaged_components_never_panic_and_do_the_same_if_they_run() {
    let mut corpus: Vec<_> = corpus().into_iter().map(|script| (script.bytes, script.calls)).collect();
    // Only flat components can be split.
    let flat = |(bytes, calls): &(Vec<u8>, Vec<Call>)| Some((flatten(bytes, true).ok()?, calls.clone()));
    corpus.extend(corpus.iter().filter_map(flat).collect::<Vec<_>>());
    let engine = run::engine();
    let strategy = (any::<Index>(), prop::collection::vec(damage(), 1..4), any::<bool>());
    // PROPTEST_CASES sets the number of cases.
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((which, damages, names) in strategy)| {
        let (bytes, calls) = which.get(&corpus);
        let bytes = damaged(bytes, &corpus, &damages);
        // The host does not use invalid parts.
        if let Ok(split) = split(&bytes)
            && let (Ok(whole), Ok(parts)) = (Program::new(&engine, &bytes), Program::of_parts(&engine, &split))
        {
            compare_programs(whole, parts, calls);
        }
        if let Ok(flat) = flatten(&bytes, names) {
            compare(&engine, &bytes, &flat, calls);
            match flatten(&flat, names) {
                Ok(twice) => assert!(twice == flat, "flattened twice, it is something else"),
                Err(left) => assert_eq!(left, Left::Flat),
            }
        }
    });
}
