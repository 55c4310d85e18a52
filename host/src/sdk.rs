//! The SDK and the contract, carried inside the program and unpacked for a build.

use crate::artifact;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[
            ("wit/bolt.wit", include_str!("../../wit/bolt.wit")),
            $((concat!("bolt/", $name), include_str!(concat!("../../guest-python/bolt/", $name)))),*
        ]
    };
}

/// Every file a build needs besides the app, by its path in the build's folder.
const FILES: &[(&str, &str)] = files![
    "__init__.py",
    "app.py",
    "background.py",
    "checks.py",
    "classbody.py",
    "codegen.py",
    "concurrency.py",
    "convert.py",
    "cookies.py",
    "depends.py",
    "dump.py",
    "encode.py",
    "encoders.py",
    "entry.py",
    "errors.py",
    "exception_handlers.py",
    "exceptions.py",
    "failures.py",
    "headers.py",
    "http.py",
    "httpclient.py",
    "httperrors.py",
    "httpexchange.py",
    "httpheaders.py",
    "httprefuse.py",
    "httprequest.py",
    "httpresponse.py",
    "httpsync.py",
    "httptransport.py",
    "invoke.py",
    "jsonschema.py",
    "library.py",
    "lifespan.py",
    "loading.py",
    "loop.py",
    "manifest.py",
    "markers.py",
    "models.py",
    "openapi.py",
    "options.py",
    "output.py",
    "params.py",
    "path.py",
    "plain.py",
    "refusals.py",
    "rehearsal.py",
    "rename.py",
    "request.py",
    "requests.py",
    "responses.py",
    "results.py",
    "route.py",
    "router.py",
    "samples.py",
    "schema.py",
    "security.py",
    "sleep.py",
    "snapshot.py",
    "special.py",
    "status.py",
    "strict.py",
    "struct.py",
    "surroundings.py",
    "types.py",
    "unsupported.py",
    "uploads.py",
    "validators.py",
    "version.py",
    "views.py",
];

/// Write the SDK below `folder`.
pub fn unpack(folder: &Path) -> io::Result<()> {
    for (name, text) in FILES {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// What only tests and editors need: not part of a build.
const EXTRAS: &[(&str, &str)] = files!["py.typed", "testclient.py", "testing.py"];

/// Write the SDK for the Python of people: below a folder of the cache, which is returned.
pub fn unpack_for_people(cache: &Path) -> io::Result<PathBuf> {
    let place = cache.join(format!("sdk-{}", &digest()[..12]));
    unpack(&place)?;
    for (name, text) in EXTRAS {
        fs::write(place.join(name), text)?;
    }
    Ok(place)
}

/// Changes when any file of the SDK does.
pub fn digest() -> String {
    let all: Vec<u8> = FILES
        .iter()
        .flat_map(|(name, text)| [name.as_bytes(), b"\0", text.as_bytes(), b"\0"].concat())
        .collect();
    artifact::digest(&all)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_of_the_sdk_is_carried() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-python/bolt");
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if name.ends_with(".py") {
                let mut files = super::FILES.iter().chain(super::EXTRAS);
                let carried = files.any(|(carried, _)| *carried == format!("bolt/{name}"));
                assert!(carried, "{name} is missing from sdk.rs");
            }
        }
    }
}
