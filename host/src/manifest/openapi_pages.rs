//! The pages that describe an app: its OpenAPI document, Swagger UI, and a page to read. All of it is inside the
//! program, so they work without the internet.

use crate::codec::json_string::write_string;
use crate::manifest::swagger_ui;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Where an app's description is, and its text. The guest wrote it.
#[derive(Debug, Clone, Deserialize)]
pub struct OpenApiPages {
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
const READER: &str = include_str!("../../assets/reader.html");

impl OpenApiPages {
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
            return page(HTML, self.fill(swagger_ui::PAGE, path, prefix));
        }
        let name = path.strip_prefix(docs)?.strip_prefix('/')?;
        if name == swagger_ui::START_NAME {
            return page(JAVASCRIPT, self.fill(swagger_ui::START, path, prefix));
        }
        let (content_type, body) = swagger_ui::file(name)?;
        Some(Page { content_type, body })
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
    /// Of the document, and not of what is in it.
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
