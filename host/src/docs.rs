//! The pages that describe an app: its OpenAPI document, Swagger UI, and a page to read. All of it is inside the
//! program, so they work without the internet.

use bytes::Bytes;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::sync::OnceLock;

/// Where an app's description is, and its text. The guest wrote it.
#[derive(Debug, Clone, Deserialize)]
pub struct Docs {
    pub openapi_url: String,
    pub docs_url: Option<String>,
    pub redoc_url: Option<String>,
    pub openapi: String,
}

/// Something to be sent as it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    pub content_type: &'static str,
    pub body: Bytes,
}

const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const READER: &str = include_str!("../assets/reader.html");
const SWAGGER: &str = include_str!("../assets/swagger.html");
const SWAGGER_START: &str = include_str!("../assets/swagger.js");
/// What Swagger UI consists of, by the names under the page's own path.
const SWAGGER_FILES: [(&str, &str); 5] = [
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", JAVASCRIPT),
    ("favicon-32x32.png", "image/png"),
    ("oauth2-redirect.html", HTML),
    ("oauth2-redirect.js", JAVASCRIPT),
];

impl Docs {
    /// A quick look: most paths are not the description's.
    pub fn has(&self, path: &str) -> bool {
        let under = |url: &Option<String>| url.as_deref().is_some_and(|url| path.starts_with(url));
        path == self.openapi_url || under(&self.docs_url) || under(&self.redoc_url)
    }

    /// The page of this path, if it is one of the description's.
    /// `prefix`: what clients have in front of all paths.
    pub fn page(&self, path: &str, prefix: &str) -> Option<Page> {
        let page = |content_type, body: String| Some(Page { content_type, body: body.into() });
        if path == self.openapi_url {
            return page("application/json", below(&self.openapi, prefix));
        }
        if self.redoc_url.as_deref() == Some(path) {
            return page(HTML, self.fill(READER, path, prefix));
        }
        let docs = self.docs_url.as_deref()?;
        if path == docs {
            return page(HTML, self.fill(SWAGGER, path, prefix));
        }
        let name = path.strip_prefix(docs)?.strip_prefix('/')?;
        if name == "start.js" {
            return page(JAVASCRIPT, self.fill(SWAGGER_START, path, prefix));
        }
        let (_, content_type) = SWAGGER_FILES.iter().find(|(file, _)| *file == name)?;
        Some(Page { content_type, body: swagger_file(name)? })
    }

    /// The URL stands in a script and in attributes, and came from a guest: only what is safe in both is let through.
    fn fill(&self, template: &str, path: &str, prefix: &str) -> String {
        let safe = |url: &str| -> String {
            url.chars().filter(|c| c.is_ascii_alphanumeric() || "/._-~".contains(*c)).collect()
        };
        let url = |path: &str| safe(prefix) + &safe(path);
        template.replace("{{openapi}}", &url(&self.openapi_url)).replace("{{here}}", &url(path))
    }
}

/// A description that says where the app is, unless it says so itself.
fn below(openapi: &str, prefix: &str) -> String {
    match openapi.strip_prefix('{') {
        Some(rest) if !prefix.is_empty() && !openapi.contains("\"servers\"") => {
            format!("{{\"servers\": [{{\"url\": {prefix:?}}}], {rest}")
        }
        _ => openapi.to_owned(),
    }
}

/// A file of Swagger UI, unpacked when first asked for.
fn swagger_file(name: &str) -> Option<Bytes> {
    static FILES: OnceLock<HashMap<String, Bytes>> = OnceLock::new();
    FILES.get_or_init(unpack).get(name).cloned()
}

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
        let wanted = SWAGGER_FILES.iter().any(|(file, _)| *file == name);
        if wanted && file.read_to_end(&mut content).is_ok() {
            files.insert(name, content.into());
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docs() -> Docs {
        Docs {
            openapi_url: "/openapi.json".into(),
            docs_url: Some("/docs".into()),
            redoc_url: None,
            openapi: "{\"openapi\": \"3.1.0\"}".into(),
        }
    }

    #[test]
    fn every_file_of_the_page_is_inside_the_program() {
        let docs = docs();
        for (name, content_type) in SWAGGER_FILES {
            let page = docs.page(&format!("/docs/{name}"), "").unwrap();
            assert!(page.content_type == content_type && page.body.len() > 100, "{name}");
        }
        let page = docs.page("/docs", "").unwrap();
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(text.contains("\"/docs/swagger-ui-bundle.js\"") && !text.contains("//"), "{text}");
        assert_eq!(docs.page("/redoc", ""), None);
        assert_eq!(docs.page("/docs/other", ""), None);
    }

    #[test]
    fn below_a_prefix_all_links_have_it() {
        let docs = docs();
        let text = |path| String::from_utf8(docs.page(path, "/shop").unwrap().body.to_vec()).unwrap();
        assert!(text("/docs").contains("\"/shop/docs/swagger-ui-bundle.js\""));
        assert!(text("/docs/start.js").contains("/shop/openapi.json"));
        assert_eq!(text("/openapi.json"), "{\"servers\": [{\"url\": \"/shop\"}], \"openapi\": \"3.1.0\"}");
    }

    #[test]
    fn a_guest_cannot_write_script_into_the_page() {
        let docs = Docs { openapi_url: "/a\"><script>".into(), ..docs() };
        let page = docs.page("/docs/start.js", "").unwrap();
        assert!(!String::from_utf8(page.body.to_vec()).unwrap().contains('<'));
    }
}
