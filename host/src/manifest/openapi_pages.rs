//! An app's documentation pages: its OpenAPI document, Swagger UI, and a reader page. All of them are embedded in the
//! program, so they work offline.

use crate::codec::json_string::write_string;
use crate::manifest::swagger_ui;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::sync::{Arc, Mutex, PoisonError};

/// The URLs of an app's documentation, and its OpenAPI document. The guest provides all of it.
#[derive(Debug, Clone, Deserialize)]
pub struct OpenApiPages {
    pub openapi_url: String,
    pub docs_url: Option<String>,
    pub redoc_url: Option<String>,
    pub openapi: String,
    /// The document for the prefix that was asked for last. An app is at one; thousands of clients may be sent it at a time.
    #[serde(skip)]
    shared: Arc<Mutex<Option<(String, Bytes)>>>,
}

/// A response that is sent unchanged.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    pub content_type: &'static str,
    pub body: Bytes,
}

const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const READER: &str = include_str!("../../assets/reader.html");

impl OpenApiPages {
    /// A cheap first check: most paths are not documentation pages.
    pub fn has(&self, path: &str) -> bool {
        let under = |url: &Option<String>| url.as_deref().is_some_and(|url| path.starts_with(url));
        path == self.openapi_url || under(&self.docs_url) || under(&self.redoc_url)
    }

    /// The documentation page at this path, if there is one.
    /// `prefix`: the path prefix that clients see in front of all paths.
    pub fn page(&self, path: &str, prefix: &str) -> Option<Page> {
        let page = |content_type, body: String| Some(Page { content_type, body: body.into() });
        if path == self.openapi_url {
            return Some(Page { content_type: "application/json", body: self.document(prefix) });
        }
        if self.redoc_url.as_deref() == Some(path) {
            return page(HTML, self.fill(READER, path, prefix));
        }
        let docs = self.docs_url.as_deref()?;
        if path == docs {
            return page(HTML, self.fill(swagger_ui::PAGE, path, prefix));
        }
        let name = path.strip_prefix(docs)?.strip_prefix('/')?;
        if name == swagger_ui::START_NAME {
            return page(JAVASCRIPT, self.fill(swagger_ui::START, path, prefix));
        }
        let (content_type, body) = swagger_ui::file(name)?;
        Some(Page { content_type, body })
    }

    fn document(&self, prefix: &str) -> Bytes {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shared {
            Some((known, document)) if known == prefix => document.clone(),
            _ => {
                let document = Bytes::from(below(&self.openapi, prefix));
                *shared = Some((prefix.to_owned(), document.clone()));
                document
            }
        }
    }

    /// The URL comes from a guest and goes into a script and attributes: keep only characters that are safe in both.
    fn fill(&self, template: &str, path: &str, prefix: &str) -> String {
        let safe = |url: &str| -> String {
            url.chars().filter(|c| c.is_ascii_alphanumeric() || "/._-~".contains(*c)).collect()
        };
        let url = |path: &str| safe(prefix) + &safe(path);
        template.replace("{{openapi}}", &url(&self.openapi_url)).replace("{{here}}", &url(path))
    }
}

/// The OpenAPI document with the prefix as its server, unless it lists servers itself.
fn below(openapi: &str, prefix: &str) -> String {
    /// The top level only: nested objects may have a field of that name.
    #[derive(Deserialize)]
    struct Own {
        servers: Option<IgnoredAny>,
    }
    let has_own = serde_json::from_str(openapi).is_ok_and(|Own { servers }| servers.is_some());
    match openapi.trim_start().strip_prefix('{') {
        Some(rest) if !prefix.is_empty() && !has_own => {
            let mut text = b"{\"servers\": [{\"url\": ".to_vec();
            write_string(prefix, &mut text);
            let comma = if rest.trim_start().starts_with('}') { "" } else { ", " };
            format!("{}}}]{comma}{rest}", String::from_utf8_lossy(&text))
        }
        _ => openapi.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docs() -> OpenApiPages {
        OpenApiPages {
            openapi_url: "/openapi.json".into(),
            docs_url: Some("/docs".into()),
            redoc_url: None,
            openapi: "{\"openapi\": \"3.1.0\"}".into(),
            shared: Arc::default(),
        }
    }

    #[test]
    #[cfg(feature = "swagger")]
    fn every_file_of_the_page_is_inside_the_program() {
        let docs = docs();
        for (name, content_type) in swagger_ui::FILES {
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
    fn a_description_keeps_its_own_servers_and_a_field_of_that_name_is_none() {
        let text = |openapi: &str| {
            let docs = OpenApiPages { openapi: openapi.into(), ..docs() };
            let place = |prefix: &str| docs.page("/openapi.json", prefix).unwrap().body.as_ptr();
            assert_eq!(place("/shop"), place("/shop"), "each client would have a copy");
            String::from_utf8(docs.page("/openapi.json", "/shop").unwrap().body.to_vec()).unwrap()
        };
        let own = "{\"servers\": [], \"paths\": {}}";
        assert_eq!(text(own), own);
        let field = "{\"components\": {\"Cluster\": {\"properties\": {\"servers\": {}}}}}";
        let served: serde_json::Value = serde_json::from_str(&text(field)).unwrap();
        assert_eq!(served["servers"][0]["url"], "/shop");
        assert_eq!(text("{}"), "{\"servers\": [{\"url\": \"/shop\"}]}");
        assert_eq!(text("not JSON"), "not JSON");
    }

    #[test]
    #[cfg(feature = "swagger")]
    fn below_a_prefix_all_links_have_it() {
        let docs = docs();
        let text = |path| String::from_utf8(docs.page(path, "/shop").unwrap().body.to_vec()).unwrap();
        assert!(text("/docs").contains("\"/shop/docs/swagger-ui-bundle.js\""));
        assert!(text("/docs/start.js").contains("/shop/openapi.json"));
        assert_eq!(text("/openapi.json"), "{\"servers\": [{\"url\": \"/shop\"}], \"openapi\": \"3.1.0\"}");
    }

    #[test]
    #[cfg(feature = "swagger")]
    fn a_guest_cannot_write_script_into_the_page() {
        let docs = OpenApiPages { openapi_url: "/a\"><script>".into(), ..docs() };
        let page = docs.page("/docs/start.js", "").unwrap();
        assert!(!String::from_utf8(page.body.to_vec()).unwrap().contains('<'));
    }
}
