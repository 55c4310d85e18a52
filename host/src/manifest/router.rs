//! The route table: maps path and method to a handler, or to 404 or 405.
//!
//! Built once from the manifest. We match the raw path, segment by segment, so an encoded slash (`%2F`) stays inside
//! its parameter.

use crate::manifest::{Manifest, Method};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::collections::HashMap;

/// Index of a route in [`Manifest::routes`].
pub type RouteId = usize;

/// A request's handler and the raw (still percent-encoded) values of its path parameters.
#[derive(Debug)]
pub struct RouteMatch<'p> {
    pub route: RouteId,
    /// In the order of the template.
    pub segments: Vec<&'p str>,
}

/// Why no handler matches.
#[derive(Debug, PartialEq, Eq)]
pub enum NoRoute {
    NotFound,
    /// The value of the `Allow` header.
    MethodNotAllowed(String),
}

/// The handlers of one path template.
#[derive(Debug, Default, Clone)]
struct Methods {
    by_method: [Option<RouteId>; Method::ALL.len()],
    allow: String,
}

/// The routes of one app.
#[derive(Debug)]
pub struct Router {
    paths: matchit::Router<usize>,
    methods: Vec<Methods>,
    /// For each route: its path parameters' names, in the order of the template.
    names: Vec<Vec<String>>,
}

/// Characters that clients percent-encode in the literal text of a template.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'%');

impl Router {
    /// Errors are sentences that name the handler.
    pub fn new(manifest: &Manifest) -> Result<Self, String> {
        let mut router = Self { paths: matchit::Router::new(), methods: Vec::new(), names: Vec::new() };
        let mut templates = HashMap::new();
        for (id, route) in manifest.routes.iter().enumerate() {
            let at =
                |what: String| format!("{} ({} {}): {what}", route.source, route.method.as_str(), route.path);
            let template = Template::parse(&route.path).map_err(at)?;
            let slot = match templates.get(&template.pattern) {
                Some(&slot) => slot,
                None => {
                    let slot = router.methods.len();
                    router.methods.push(Methods::default());
                    router.insert(&template, slot).map_err(at)?;
                    templates.insert(template.pattern.clone(), slot);
                    slot
                }
            };
            let entry = &mut router.methods[slot].by_method[route.method as usize];
            if entry.is_some() {
                return Err(at("another handler has the same method and path".into()));
            }
            *entry = Some(id);
            router.names.push(template.names);
        }
        router.insert_prefixes(&templates)?;
        router.methods.iter_mut().for_each(Methods::finish);
        Ok(router)
    }

    fn insert(&mut self, template: &Template, slot: usize) -> Result<(), String> {
        let insert = |paths: &mut matchit::Router<usize>, pattern: &str| {
            paths.insert(pattern, slot).map_err(|e| format!("the path conflicts with another one: {e}"))
        };
        insert(&mut self.paths, &template.pattern)
    }

    /// `{p:path}` also matches the empty string, and matchit's catch-all does not. So its prefix gets the same
    /// handlers, except where the app has its own handlers for the prefix.
    fn insert_prefixes(&mut self, templates: &HashMap<String, usize>) -> Result<(), String> {
        for (pattern, &slot) in templates {
            let Some(prefix) = pattern.strip_suffix(CATCH_ALL) else { continue };
            match templates.get(prefix) {
                None => self.paths.insert(prefix, slot).map_err(|e| format!("{pattern}: {e}"))?,
                Some(&exact) => {
                    let general = self.methods[slot].by_method;
                    for (entry, route) in self.methods[exact].by_method.iter_mut().zip(general) {
                        *entry = entry.or(route);
                    }
                }
            }
        }
        Ok(())
    }

    /// The path with its trailing slash added or removed, if that one has a route.
    pub fn other_slash(&self, path: &str) -> Option<String> {
        let other = match path.strip_suffix('/') {
            Some("") => return None,
            Some(shorter) => shorter.to_owned(),
            None => format!("{path}/"),
        };
        self.paths.at(&other).is_ok().then_some(other)
    }

    /// The names of a route's path parameters, in the order of [`RouteMatch::segments`].
    pub fn names(&self, route: RouteId) -> &[String] {
        &self.names[route]
    }

    /// Find the handler. `HEAD` falls back to `GET`.
    pub fn find<'p>(&self, method: Option<Method>, path: &'p str) -> Result<RouteMatch<'p>, NoRoute> {
        let found = self.paths.at(path).map_err(|_| NoRoute::NotFound)?;
        let methods = &self.methods[*found.value];
        let route = method.and_then(|method| {
            methods.by_method[method as usize].or_else(|| {
                if method == Method::Head { methods.by_method[Method::Get as usize] } else { None }
            })
        });
        let Some(route) = route else { return Err(NoRoute::MethodNotAllowed(methods.allow.clone())) };
        let mut segments: Vec<&'p str> = found.params.iter().map(|(_, value)| value).collect();
        segments.resize(self.names[route].len(), "");
        Ok(RouteMatch { route, segments })
    }
}

impl Methods {
    fn finish(&mut self) {
        let serves = |method: Method| {
            self.by_method[method as usize].is_some()
                || (method == Method::Head && self.by_method[Method::Get as usize].is_some())
        };
        let names: Vec<_> = Method::ALL.into_iter().filter(|m| serves(*m)).map(Method::as_str).collect();
        self.allow = names.join(", ");
    }
}

const CATCH_ALL: &str = "{*rest}";

/// A path template with numbered parameters, so that two routes with the same path may name them differently.
struct Template {
    pattern: String,
    names: Vec<String>,
}

impl Template {
    fn parse(path: &str) -> Result<Self, String> {
        if !path.starts_with('/') {
            return Err("a path must start with /".into());
        }
        let (mut pattern, mut names, mut rest) = (String::new(), Vec::new(), path);
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').ok_or("a { is not closed")? + open;
            pattern.extend(utf8_percent_encode(&rest[..open], ENCODED));
            let name = &rest[open + 1..close];
            rest = &rest[close + 1..];
            match name.split_once(':') {
                Some((name, "path")) => {
                    if !rest.is_empty() {
                        return Err(format!("{{{name}:path}} takes the rest of the path and must be last"));
                    }
                    pattern.push_str(CATCH_ALL);
                    names.push(name.to_owned());
                }
                Some((name, _)) => return Err(format!("annotate the parameter {name} instead of the path")),
                None => {
                    pattern.push_str(&format!("{{p{}}}", names.len()));
                    names.push(name.to_owned());
                }
            }
        }
        pattern.extend(utf8_percent_encode(rest, ENCODED));
        Ok(Self { pattern, names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[(&str, &str)]) -> Result<Router, String> {
        let routes: Vec<_> = routes
            .iter()
            .map(|(method, path)| {
                serde_json::json!({"method": method, "path": path, "name": "h", "file": "app.py", "line": 1,
                    "async": false, "status": 200, "params": []})
            })
            .collect();
        let manifest = serde_json::json!({"abi": crate::manifest::ABI, "sdk": "0", "interpreter": "3.14", "marshal": 4, "app": "app:api",
            "routes": routes});
        Router::new(&Manifest::parse(&manifest.to_string())?)
    }

    #[test]
    fn a_path_may_name_its_parameters_differently_for_each_method() {
        let r = router(&[("GET", "/u/{id}"), ("DELETE", "/u/{user}")]).unwrap();
        assert_eq!(r.find(Some(Method::Delete), "/u/7").unwrap().route, 1);
        assert_eq!(r.find(Some(Method::Get), "/u/a%2Fb").unwrap().segments, ["a%2Fb"]);
    }

    #[test]
    fn head_falls_back_to_get_and_others_are_told_what_is_allowed() {
        let r = router(&[("GET", "/a"), ("POST", "/a")]).unwrap();
        assert_eq!(r.find(Some(Method::Head), "/a").unwrap().route, 0);
        let allow = NoRoute::MethodNotAllowed("GET, HEAD, POST".into());
        assert_eq!(r.find(Some(Method::Put), "/a").unwrap_err(), allow);
        assert_eq!(r.find(None, "/a").unwrap_err(), allow);
        assert_eq!(r.find(Some(Method::Get), "/b").unwrap_err(), NoRoute::NotFound);
    }

    #[test]
    fn a_path_parameter_takes_slashes_and_nothing_at_all() {
        let r = router(&[("GET", "/f/{p:path}")]).unwrap();
        assert_eq!(r.find(Some(Method::Get), "/f/a/b").unwrap().segments, ["a/b"]);
        assert_eq!(r.find(Some(Method::Get), "/f/").unwrap().segments, [""]);
    }

    #[test]
    fn a_catch_all_leaves_the_exact_path_to_its_own_handler() {
        let r = router(&[("GET", "/{p:path}"), ("GET", "/"), ("POST", "/{p:path}")]).unwrap();
        assert_eq!(r.find(Some(Method::Get), "/").unwrap().route, 1);
        assert_eq!(r.find(Some(Method::Post), "/").unwrap().segments, [""]);
        assert_eq!(r.find(Some(Method::Get), "/a/b").unwrap().route, 0);
    }

    #[test]
    fn fixed_text_matches_as_clients_send_it() {
        let r = router(&[("GET", "/café")]).unwrap();
        assert_eq!(r.find(Some(Method::Get), "/caf%C3%A9").unwrap().route, 0);
    }

    #[test]
    fn what_cannot_be_routed_is_named() {
        for path in ["a", "/{x", "/{x:int}", "/{x:path}/y"] {
            assert!(router(&[("GET", path)]).unwrap_err().contains("app.py:1"), "{path}");
        }
        assert!(router(&[("GET", "/{a}"), ("GET", "/{b}")]).unwrap_err().contains("same method and path"));
    }
}
