//! The embedded files of Swagger UI. Without the cargo feature `swagger`, the reader page takes its place.

use bytes::Bytes;
#[cfg(feature = "swagger")]
use std::collections::HashMap;
#[cfg(feature = "swagger")]
use std::io::{Cursor, Read};
#[cfg(feature = "swagger")]
use std::sync::OnceLock;

#[cfg(feature = "swagger")]
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The page itself; `{{openapi}}` and `{{here}}` are placeholders for URLs.
pub const PAGE: &str = if cfg!(feature = "swagger") {
    include_str!("../../assets/swagger.html")
} else {
    include_str!("../../assets/reader.html")
};
/// The script that starts it, and its name below the page's path.
pub const START: &str = include_str!("../../assets/swagger.js");
pub const START_NAME: &str = "start.js";

/// The files of Swagger UI, by their names below the page's path.
#[cfg(feature = "swagger")]
pub const FILES: [(&str, &str); 5] = [
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", JAVASCRIPT),
    ("favicon-32x32.png", "image/png"),
    ("oauth2-redirect.html", "text/html; charset=utf-8"),
    ("oauth2-redirect.js", JAVASCRIPT),
];

/// A file and its content type. The first request unpacks all files.
#[cfg(feature = "swagger")]
pub fn file(name: &str) -> Option<(&'static str, Bytes)> {
    static UNPACKED: OnceLock<HashMap<String, Bytes>> = OnceLock::new();
    let (_, content_type) = FILES.iter().find(|(file, _)| *file == name)?;
    Some((content_type, UNPACKED.get_or_init(unpack).get(name).cloned()?))
}

#[cfg(not(feature = "swagger"))]
pub fn file(_: &str) -> Option<(&'static str, Bytes)> {
    None
}

#[cfg(feature = "swagger")]
fn unpack() -> HashMap<String, Bytes> {
    let packed = utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(packed)) else { return HashMap::new() };
    let mut files = HashMap::new();
    for index in 0..archive.len() {
        let Ok(mut file) = archive.by_index(index) else { continue };
        let Ok(path) = file.name() else { continue };
        let Some((_, name)) = path.split_once("/dist/") else { continue };
        let name = name.to_owned();
        let mut content = Vec::new();
        let is_wanted = FILES.iter().any(|(file, _)| *file == name);
        if is_wanted && file.read_to_end(&mut content).is_ok() {
            files.insert(name, content.into());
        }
    }
    files
}
