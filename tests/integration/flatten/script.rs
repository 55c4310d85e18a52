//! A component of the corpus, and the expectations in its comments.
//!
//! `;; call name(1, "two") -> 3` or `-> trap PART in FUNCTION`, `;; gone NAME` for an unreachable function,
//! `;; left REASON` for a component that is not flattened, `;; modules N` for the number of core modules afterwards.

use std::fmt;
use std::path::Path;
use wasmtime::component::Val;

pub struct Script {
    pub name: String,
    pub bytes: Vec<u8>,
    pub calls: Vec<Call>,
    pub gone: Vec<String>,
    pub left: Option<String>,
    /// The number of core modules afterwards.
    pub modules: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct Call {
    pub name: String,
    pub args: Vec<Val>,
    pub expected: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?}) -> {}", self.name, self.args, self.expected)
    }
}

impl Call {
    /// The expected part of a trap's text, and its function, if a trap is expected.
    pub fn trap(&self) -> Option<(&str, Option<&str>)> {
        let text = self.expected.strip_prefix("trap ")?;
        Some(text.split_once(" in ").map_or((text, None), |(said, function)| (said, Some(function))))
    }

    fn parse(text: &str) -> Self {
        let (call, expected) = text.split_once(" -> ").unwrap();
        let (name, args) = call.split_once('(').unwrap();
        let args = args.strip_suffix(')').unwrap().split(", ").filter(|arg| !arg.is_empty());
        let value = |arg: &str| match arg.strip_prefix('"') {
            Some(text) => Val::String(text.trim_end_matches('"').to_owned()),
            None => Val::U32(arg.parse().unwrap()),
        };
        Self { name: name.to_owned(), args: args.map(value).collect(), expected: expected.to_owned() }
    }
}

impl Script {
    pub fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(path).unwrap();
        let bytes = wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut script = Self { name, bytes, calls: Vec::new(), gone: Vec::new(), left: None, modules: None };
        for line in text.lines().filter_map(|line| line.strip_prefix(";; ")) {
            match line.split_once(' ') {
                Some(("call", call)) => script.calls.push(Call::parse(call)),
                Some(("gone", function)) => script.gone.push(function.to_owned()),
                Some(("modules", count)) => script.modules = Some(count.parse().unwrap()),
                Some(("left", reason)) => script.left = Some(reason.to_owned()),
                _ => {}
            }
        }
        script
    }
}
