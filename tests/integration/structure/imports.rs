//! Parses what each source file uses: `use` trees and paths, also in macros, but not in test code.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, Macro, UseTree};

/// A source file of the host.
pub struct Source {
    /// Its module: `["pool", "driver"]`; a `mod.rs` has its folder's.
    pub module: Vec<String>,
    pub text: String,
    /// Whole paths, with `super` and `self` resolved: `["crate", "util", "locks", "lock"]`, `["tokio", "sync"]`.
    pub paths: BTreeSet<Vec<String>>,
    pub has_unsafe: bool,
}

impl Source {
    /// Its folder; a file next to `lib.rs` stands for itself.
    pub fn folder(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    pub fn name(&self) -> String {
        self.module.join("/")
    }

    /// True when a path begins with this crate, or with one of its family, such as `wasmtime_wasi`.
    pub fn uses_crate(&self, name: &str) -> bool {
        let prefix = format!("{name}_");
        self.paths.iter().any(|path| path[0] == name || path[0].starts_with(&prefix))
    }

    pub fn uses(&self, path: &[&str]) -> bool {
        self.paths.iter().any(|used| used.len() >= path.len() && used.iter().zip(path).all(|(a, b)| a == b))
    }
}

/// All source files, without those that `lib.rs` declares for tests.
pub fn sources(root: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let sources = files.iter().map(|file| source(root, file));
    sources
        .filter(|source| {
            source.module != ["properties"]
                && source.module != ["work_properties"]
                && !source.module.last().is_some_and(|name| name.ends_with("_tests"))
        })
        .collect()
}

fn source(root: &Path, file: &PathBuf) -> Source {
    let text = fs::read_to_string(file).unwrap();
    let relative = file.strip_prefix(root).unwrap().with_extension("");
    let mut module: Vec<String> =
        relative.iter().map(|part| part.to_str().unwrap().to_owned()).filter(|part| part != "mod").collect();
    if module == ["lib"] || module == ["main"] {
        module.clear();
    }
    let is_folder = relative.ends_with("mod");
    let syntax = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut reader = Reader { module: module.clone(), is_folder, paths: BTreeSet::new(), has_unsafe: false };
    reader.visit_file(&syntax);
    let Reader { paths, has_unsafe, .. } = reader;
    if relative.ends_with("lib") || relative.ends_with("main") {
        module = vec![relative.to_str().unwrap().to_owned()];
    }
    Source { module, text, paths, has_unsafe }
}

struct Reader {
    module: Vec<String>,
    is_folder: bool,
    paths: BTreeSet<Vec<String>>,
    has_unsafe: bool,
}

impl Reader {
    /// Record a path. A single name is an item of this file, or one that a `use` has imported.
    fn note(&mut self, mut path: Vec<String>) {
        if path.len() < 2 {
            return;
        }
        let ups = path.iter().take_while(|part| *part == "super").count();
        if ups > 0 || path[0] == "self" {
            let mut whole = self.module.clone();
            // `super` of a file is its folder; `self` of a file is the file.
            let up = if self.is_folder || ups == 0 { ups } else { ups - 1 };
            if ups > 0 && !self.is_folder {
                whole.pop();
            }
            whole.truncate(whole.len().saturating_sub(up));
            whole.insert(0, "crate".to_owned());
            whole.extend(path.drain(ups.max(1)..));
            path = whole;
        }
        self.paths.insert(path);
    }

    fn tree(&mut self, prefix: &[String], tree: &UseTree) {
        let with = |name: String| [prefix, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&with(path.ident.to_string()), &path.tree),
            UseTree::Name(name) => self.note(with(name.ident.to_string())),
            UseTree::Rename(name) => self.note(with(name.ident.to_string())),
            UseTree::Glob(_) => self.note(with("*".to_owned())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(prefix, tree)),
        }
    }

    /// Paths in the arguments of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) if colons == 2 && !path.is_empty() => path.push(ident.to_string()),
                TokenTree::Ident(ident) => {
                    self.note(std::mem::take(&mut path));
                    path = vec![ident.to_string()];
                }
                other => {
                    self.note(std::mem::take(&mut path));
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
            colons = 0;
        }
        self.note(path);
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes: &[Attribute] = match item {
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        self.tokens(mac.tokens.clone());
        visit::visit_macro(self, mac);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.has_unsafe = true;
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.has_unsafe |= signature.unsafety.is_some();
        visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.has_unsafe |= item.unsafety.is_some();
        visit::visit_item_impl(self, item);
    }
}
