//! Formats an app for people: the route table, and the report of `inspect`.

use crate::apps::dormant::MOST_WARNED;
use crate::cli::probe::{Cost, Probe};
use crate::manifest::isolation::RouteIsolation;
use crate::manifest::{Absent, Manifest, Param, Route, Source};
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::component;
use crate::sandbox::pagemap::{RUNS_IN_PLACE, Written};
use crate::util::printable;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// One line per route: method, path, handler and source location.
pub fn routes(manifest: &Manifest) -> String {
    let width = |f: fn(&Route) -> usize| manifest.routes.iter().map(f).max().unwrap_or(0);
    let (methods, paths) = (width(|r| r.method.as_str().len()), width(|r| r.path.chars().count()));
    let mut text = String::new();
    for route in &manifest.routes {
        let kind = kind(route);
        let (method, path) = (route.method.as_str(), &route.path);
        let _ = writeln!(text, "  {method:methods$}  {path:paths$}  {kind} {}  {}", route.name, route.source);
    }
    text
}

fn kind(route: &Route) -> &'static str {
    if route.handler_is_async { "async def" } else { "def" }
}

/// The isolation options of a route, if it has any.
fn wishes(wishes: &RouteIsolation) -> String {
    let isolation =
        wishes.isolation.map(|isolation| format!("  {}", format!("{isolation:?}").to_lowercase()));
    let concurrency = wishes.max_concurrency.map(|most| format!("  max_concurrency={most}"));
    let requests = wishes.max_requests.map(|most| format!("  max_requests={most}"));
    [isolation, concurrency, requests].into_iter().flatten().collect()
}

/// The report: routes with their parameters, imports, memory and sizes.
pub fn report(
    wasm: &Path,
    artifact: &Artifact,
    manifest: &Manifest,
    trial: &Probe,
) -> Result<String, String> {
    let mut text = String::new();
    let _ = writeln!(text, "{}  {}", manifest.app, manifest.title);
    let _ =
        writeln!(text, "version {}, Python {}, SDK {}", artifact.id(), manifest.interpreter, manifest.sdk);
    for value in manifest.frozen_values(&[]) {
        let _ = writeln!(text, "warning: {}", printable::line(&value, MOST_WARNED));
    }
    text.push_str("\nroutes\n");
    for route in &manifest.routes {
        // The whole request is no value of it: a handler, a dependency, middleware or an exception handler asked for it.
        let values = route.params.iter().filter(|p| p.source != Source::Request);
        let params: Vec<_> = values.map(|p| parameter(p, manifest)).collect();
        let whole = if params.len() < route.params.len() { "  whole request" } else { "" };
        let kind = kind(route);
        let _ = writeln!(
            text,
            "  {} {}  →  {kind} {}({})  {}  {}{whole}{}",
            route.method.as_str(),
            route.path,
            route.name,
            params.join(", "),
            route.status,
            route.source,
            wishes(&route.isolation)
        );
    }
    if !manifest.models.is_empty() {
        text.push_str("\nmodels\n");
    }
    for model in &manifest.models {
        let fields: Vec<_> =
            model.fields.iter().map(|f| format!("{}: {}", f.name, f.ty.display(&manifest.models))).collect();
        let _ = writeln!(text, "  {}({})", model.name, fields.join(", "));
    }
    let bytes = fs::read(wasm).map_err(|e| format!("{}: {e}", wasm.display()))?;
    let imports = component::imports(&bytes).map_err(|e| format!("{}: {e}", wasm.display()))?;
    text.push_str("\nimports\n");
    for import in imports {
        let _ = writeln!(text, "  {import}");
    }
    let linked = match flatten::flatten(&bytes, false) {
        Ok(_) => "linked for every new instance: built with --no-flatten, or by another program".into(),
        Err(flatten::Left::Flat) => "merged into one".to_owned(),
        Err(left) => format!("left as they are, because {left}"),
    };
    let _ = writeln!(text, "\nmodules\n  {linked}");
    tell_costs(&mut text, manifest, trial);
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let size = |file: &Path| megabytes(fs::metadata(file).map_or(0, |meta| meta.len()));
    let _ = writeln!(text, "\nsizes\n  component {:.1} MB", megabytes(bytes.len() as u64));
    let _ = writeln!(text, "  compiled  {:.1} MB", size(&artifact.code));
    if let Some(code) = artifact.shared() {
        let _ = writeln!(text, "  and code  {:.1} MB, which other apps share", size(&code.code));
    }
    Ok(text)
}

/// The memory that a fresh instance costs each route.
fn tell_costs(text: &mut String, manifest: &Manifest, trial: &Probe) {
    text.push_str("\nmemory\n");
    let Written { pages, runs } = trial.start;
    let beyond_start = beyond(runs);
    let _ = writeln!(
        text,
        "  an instance writes to {pages} pages before its first call, in {runs} runs{beyond_start}"
    );
    text.push_str("  until it has answered one call, and the time to reset it\n");
    for (route, cost) in manifest.routes.iter().zip(&trial.routes) {
        let _ = write!(text, "    {} {}  ", route.method.as_str(), route.path);
        let _ = match cost {
            Ok(Cost { status, why, written: Written { pages, runs }, wiping }) => {
                let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                writeln!(
                    text,
                    "→  {status}{why}  {pages} pages in {runs} runs{}, {} µs",
                    beyond(*runs),
                    wiping.as_micros()
                )
            }
            Err(why) => writeln!(text, "{why}"),
        };
    }
}

fn beyond(runs: usize) -> &'static str {
    if runs <= RUNS_IN_PLACE { "" } else { " (more than are reset in place)" }
}

fn parameter(param: &Param, manifest: &Manifest) -> String {
    let place = match param.source {
        Source::Header => "header",
        Source::Cookie => "cookie",
        Source::Form | Source::File => "form",
        source => source.place(),
    };
    let optional = if matches!(param.absent, Absent::Refuse) { "" } else { "?" };
    format!("{}{optional}: {} in {place}", param.alias, param.ty.display(&manifest.models))
}
