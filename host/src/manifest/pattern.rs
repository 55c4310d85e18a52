//! Patterns of text. An app declares them and clients send the text, so a search can cost states × bytes: it runs as a
//! lazy DFA, byte by byte, and pays for every state that it has to build.

use crate::codec::work::{Stop, Work};
use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::pool::Pool;
use regex_automata::util::syntax;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest pattern, in bytes.
pub const MAX_TEXT: usize = 8 * 1024;
/// Maximum memory of a compiled pattern, in bytes.
pub const MAX_PROGRAM: usize = 1 << 20;
/// Deepest nesting of groups.
const MAX_NESTING: u32 = 100;
/// Memory for states that were built, in bytes. When it is full, they are forgotten and built again.
const CACHE: usize = 1 << 20;
/// A cache that has grown by more than this is not kept for the next search.
const KEPT: usize = 16 * 1024;
/// Units for a byte whose state is known.
const STEP: u64 = 2;
/// Bytes that are looked at before they are paid for.
const PIECE: usize = 1024;
/// Units for building a state of the DFA, and for each byte of memory that it takes. It takes more for each state of
/// the program in it, of which all are looked at.
const BUILD: u64 = 300;
const BUILD_BYTE: u64 = 10;
/// Units for each state of the program and each byte in a search without a DFA.
const SIMULATE: u64 = 6;
/// Most units of such a search, which cannot be interrupted: half a second.
const MOST_SIMULATED: u64 = 500_000_000;

type MakeCache = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// A compiled pattern, which matches text that contains it.
pub struct Pattern {
    text: String,
    dfa: Arc<DFA>,
    caches: Pool<Cache, MakeCache>,
    /// For text with which the DFA cannot deal: a Unicode word boundary beside a character that is not ASCII.
    vm: PikeVM,
    /// States of the program.
    states: u64,
    /// Memory of an empty cache, in bytes.
    empty: usize,
    /// Memory of the largest state of the DFA that was ever built, in bytes.
    widest: AtomicU64,
}

/// The outcome of a search with the DFA.
enum Found {
    Match(bool),
    /// It has to be searched without it.
    Unknown,
}

impl Pattern {
    /// Errors complete a sentence that begins with the pattern.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() > MAX_TEXT {
            return Err(format!("has {} bytes, and at most {MAX_TEXT} are supported", text.len()));
        }
        let syntax = syntax::Config::new().nest_limit(MAX_NESTING);
        let parsed = syntax::parse_with(text, &syntax).map_err(|e| format!("cannot be used: {e}"))?;
        let program =
            thompson::Config::new().nfa_size_limit(Some(MAX_PROGRAM)).which_captures(WhichCaptures::None);
        let nfa =
            NFA::compiler().configure(program).build_from_hir(&parsed).map_err(|e| match e.size_limit() {
                Some(most) => format!("is too large: compiled it takes more than {most} bytes"),
                None => format!("cannot be used: {e}"),
            })?;
        let config =
            Config::new().unicode_word_boundary(true).cache_capacity(CACHE).skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa.clone());
        let dfa = Arc::new(dfa.map_err(|e| format!("cannot be used: {e}"))?);
        let states = nfa.states().len() as u64;
        let vm = PikeVM::new_from_nfa(nfa).map_err(|e| format!("cannot be used: {e}"))?;
        let made = dfa.clone();
        let caches: MakeCache = Box::new(move || made.create_cache());
        let empty = dfa.create_cache().memory_usage();
        let (text, caches, widest) = (text.to_owned(), Pool::new(caches), AtomicU64::new(0));
        Ok(Self { text, dfa, caches, vm, states, empty, widest })
    }

    /// Memory of the compiled pattern, in bytes.
    pub fn size(&self) -> usize {
        self.vm.get_nfa().memory_usage()
    }

    /// Whether `text` contains the pattern.
    pub fn is_match(&self, text: &str, work: &mut Work) -> Result<bool, Stop> {
        let mut cache = self.caches.get();
        let found = self.search(text, &mut cache, work);
        if cache.memory_usage() > self.empty + KEPT {
            *cache = self.dfa.create_cache();
        }
        match found? {
            Found::Match(is_match) => Ok(is_match),
            Found::Unknown => self.simulate(text, work),
        }
    }

    fn search(&self, text: &str, cache: &mut Cache, work: &mut Work) -> Result<Found, Stop> {
        let dfa = &*self.dfa;
        // An error repeats the pattern.
        work.spend(STEP * (10 + self.text.len() as u64 / 8))?;
        let Ok(mut state) = dfa.start_state_forward(cache, &Input::new(text)) else {
            return Ok(Found::Unknown);
        };
        for (piece, bytes) in text.as_bytes().chunks(PIECE).enumerate() {
            work.spend(STEP * bytes.len() as u64)?;
            for (index, &byte) in bytes.iter().enumerate() {
                let mut next =
                    if state.is_tagged() { None } else { Some(dfa.next_state_untagged(cache, state, byte)) };
                if next.is_none_or(|next| next.is_unknown()) {
                    next = self.build(cache, state, byte, work)?;
                }
                let Some(next) = next else { return Ok(Found::Unknown) };
                state = next;
                if state.is_tagged() {
                    if state.is_match() {
                        // A match is seen one byte late.
                        return Ok(self.found(text, piece * PIECE + index));
                    } else if state.is_dead() {
                        return Ok(Found::Match(false));
                    } else if state.is_quit() {
                        return Ok(Found::Unknown);
                    }
                }
            }
        }
        match dfa.next_eoi_state(cache, state) {
            Ok(state) if state.is_match() => Ok(Found::Match(true)),
            Ok(state) if state.is_quit() => Ok(Found::Unknown),
            Ok(_) => Ok(Found::Match(false)),
            Err(_) => Ok(Found::Unknown),
        }
    }

    /// Build the state that follows. One step takes at most 0.2 ms, and is paid for when its cost is known.
    fn build(
        &self,
        cache: &mut Cache,
        state: LazyStateID,
        byte: u8,
        work: &mut Work,
    ) -> Result<Option<LazyStateID>, Stop> {
        let before = cache.memory_usage();
        let next = self.dfa.next_state(cache, state, byte).ok();
        let grown = cache.memory_usage().saturating_sub(before) as u64;
        let widest = self.widest.fetch_max(grown, Ordering::Relaxed);
        // It had been built before, or all others were forgotten for it.
        let size = if grown == 0 { widest } else { grown };
        work.spend(BUILD + BUILD_BYTE * size)?;
        Ok(next)
    }

    /// A match that ends here. The DFA does not know that an empty one may not lie inside a character.
    fn found(&self, text: &str, end: usize) -> Found {
        if text.is_char_boundary(end) { Found::Match(true) } else { Found::Unknown }
    }

    fn simulate(&self, text: &str, work: &mut Work) -> Result<bool, Stop> {
        let units = (SIMULATE * self.states).saturating_mul(text.len() as u64 + 1);
        if units > MOST_SIMULATED {
            return Err(work.exhaust());
        }
        work.spend(units)?;
        Ok(self.vm.is_match(&mut self.vm.create_cache(), text))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_match(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().is_match(text, &mut Work::alone()).unwrap()
    }

    const PIECES: [&str; 18] = [
        "^",
        "$",
        "a",
        "é",
        r"\w",
        r"\b",
        r"\B",
        ".",
        "[^a]",
        r"(?-u:\B)",
        "x{0,2}",
        "(?:a",
        "|",
        ")",
        "*",
        "?",
        "+",
        "€",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// It finds what the regex crate finds, also beside characters that are not ASCII.
        #[test]
        fn it_matches_as_the_regex_crate_does(
            pieces in prop::collection::vec(prop::sample::select(&PIECES), 0..10),
            texts in prop::collection::vec("[aéx€ -]{0,6}", 1..6),
        ) {
            let pattern = pieces.concat();
            let Ok(expected) = regex::Regex::new(&pattern) else { return Ok(()) };
            let pattern = Pattern::new(&pattern).unwrap();
            for text in texts {
                let found = pattern.is_match(&text, &mut Work::alone()).unwrap();
                prop_assert_eq!(found, expected.is_match(&text), "{} in {:?}", expected, text);
            }
        }
    }

    #[test]
    fn the_worst_pattern_stops_when_its_work_is_spent() {
        let worst = Pattern::new("(?:x+x+){2500}y").unwrap();
        let text = "x".repeat(1 << 20);
        for units in [1000, 10_000_000] {
            let mut work = Work::alone();
            work.bound(units);
            assert_eq!(worst.is_match(&text, &mut work), Err(Stop::Spent));
        }
        assert_eq!(worst.is_match(&text, &mut Work::brief()), Err(Stop::Long));
        // A word boundary beside such a character needs a search that cannot be interrupted: it does not begin.
        let word = Pattern::new("\\b(?:x+x+){2500}y").unwrap();
        let mut work = Work::alone();
        assert_eq!(word.is_match(&format!("é {text}"), &mut work), Err(Stop::Spent));
        assert_eq!(work.spend(1), Err(Stop::Spent));
        assert!(!word.is_match("é xx", &mut Work::alone()).unwrap());
    }

    #[test]
    fn ordinary_patterns_cost_little_even_at_first() {
        for (pattern, text) in [
            (r"^[\w.+-]+@[\w-]+\.[\w.-]+$", "some.person+tag@example-domain.co.uk"),
            (r"^(?:\w|-){1,30}$", "hello-world12345-éàü"),
            (r"\bx+y", "a long text without it"),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            for _ in 0..3 {
                let mut work = Work::alone();
                work.bound(300_000);
                assert!(pattern.is_match(text, &mut work).is_ok(), "{pattern}");
            }
        }
    }

    #[test]
    fn patterns_that_are_too_large_are_refused_with_the_bound() {
        for (pattern, told) in [
            ("x".repeat(MAX_TEXT + 1), "at most 8192"),
            ("(a{0,999}){0,999}".to_owned(), "more than 1048576 bytes"),
            ("(".repeat(200) + &")".repeat(200), "nest"),
            ("(".to_owned(), "unclosed group"),
            (r"(?=x)".to_owned(), "look-around"),
        ] {
            let why = Pattern::new(&pattern).unwrap_err();
            assert!(why.contains(told), "{why}");
        }
        assert!(is_match("é$", "né") && !is_match("^é$", "né"));
    }
}
