//! Finds an app's component: the file that the operator names, or one that is built from source.

use crate::config::Limits;
use crate::config::origin::Origin;
use crate::sandbox::engine::Engine;
use std::path::{Path, PathBuf};

/// The file of the component. Errors are text for people.
pub fn component_file(
    origin: &Origin,
    engine: &Engine,
    limits: &Limits,
    cache: &Path,
) -> Result<PathBuf, String> {
    let path = &origin.path;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("py") => build(origin, engine, limits, cache),
        Some("wasm") if path.is_file() => Ok(path.clone()),
        Some("wasm") => Err(format!("{}: no such file", path.display())),
        _ => Err(format!(
            "{}: an app is a .py file, or a .wasm file made by `bolt-host build`",
            path.display()
        )),
    }
}

/// Where the component is, built or not; None if only a build can say.
pub fn planned(
    origin: &Origin,
    engine: &Engine,
    limits: &Limits,
    cache: &Path,
) -> Result<Option<PathBuf>, String> {
    if !origin.is_python() {
        return component_file(origin, engine, limits, cache).map(Some);
    }
    #[cfg(feature = "build")]
    {
        use crate::builder::from_source::Planned;
        use crate::builder::packages;
        let Some(app) = packages::app_of(origin, cache)? else { return Ok(None) };
        let planned = Planned::of_app(&app, origin.linking, cache, limits.build_disk)?;
        Ok(Some(planned.wasm))
    }
    #[cfg(not(feature = "build"))]
    Ok(None)
}

#[cfg(feature = "build")]
fn build(origin: &Origin, engine: &Engine, limits: &Limits, cache: &Path) -> Result<PathBuf, String> {
    use crate::builder::from_source::{Planned, component_of};
    use crate::builder::packages;
    use crate::builder::python_env::Content;
    let app = packages::app_of(origin, cache)?.ok_or("its packages were removed from the cache meanwhile")?;
    let planned = Planned::of_app(&app, origin.linking, cache, limits.build_disk)?;
    component_of(Content::App(&app), planned, (engine, limits), cache, origin.rebuild).map_err(|why| {
        let is_missing = why.contains("ModuleNotFoundError") || why.contains("No module named");
        match packages::refused(origin).filter(|_| is_missing) {
            Some(refused) => format!("{why}\n{refused}"),
            None => why,
        }
    })
}

#[cfg(not(feature = "build"))]
fn build(origin: &Origin, _: &Engine, _: &Limits, _: &Path) -> Result<PathBuf, String> {
    Err(format!(
        "{}: this host was compiled without the cargo feature `build`: give it a .wasm file made by `bolt-host build`",
        origin.path.display()
    ))
}
