//! Virtual hosts: map a request to its app by host name and path prefix.

use std::collections::HashMap;

/// The hosts and path prefix of an app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// Host names in lower case, exact or `*.example`; an empty list means any host.
    pub hosts: Vec<String>,
    /// Begins with a slash and does not end in one; empty for all paths.
    pub prefix: String,
}

/// Parse host names. Errors are sentences for people.
pub fn host_names(texts: &[String]) -> Result<Vec<String>, String> {
    texts.iter().map(|text| host_name(text)).collect()
}

fn host_name(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let rest = name.strip_prefix("*.").unwrap_or(&name);
    let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '[' | ']');
    if rest.is_empty() || !rest.chars().all(ok) || rest.starts_with('.') || rest.ends_with('.') {
        return Err(format!("{text:?} is not a host name: write shop.example or *.example, without a port"));
    }
    if !rest.starts_with('[') && rest.contains(':') {
        return Err(format!("{text:?} has a port: an app is found by its host name alone"));
    }
    Ok(name)
}

/// Parse a path prefix. Errors are sentences for people.
pub fn prefix(text: &str) -> Result<String, String> {
    let path = text.trim_end_matches('/');
    if text.is_empty() || !text.starts_with('/') || path.contains("//") {
        return Err(format!("{text:?} is not a path prefix: write / or /shop"));
    }
    if path.contains(['?', '#', '%', '{', '}', ' '])
        || path.split('/').any(|part| part == "." || part == "..")
    {
        return Err(format!("{text:?} is not a path prefix: it may not have dots, parameters or escapes"));
    }
    Ok(path.to_owned())
}

/// All mounts, indexed for lookup. A result is an index into the mounts.
#[derive(Debug, Default)]
pub struct VirtualHosts {
    exact: HashMap<String, Prefixes>,
    /// Keyed by what follows the star: `.example`.
    suffixes: HashMap<String, Prefixes>,
    any: Prefixes,
}

/// Longest first.
type Prefixes = Vec<(String, usize)>;

impl VirtualHosts {
    /// The error has the indices of the first two mounts with the same host and prefix.
    pub fn new(mounts: &[Mount]) -> Result<Self, (usize, usize)> {
        let mut hosts = Self::default();
        for (index, mount) in mounts.iter().enumerate() {
            if mount.hosts.is_empty() {
                insert(&mut hosts.any, &mount.prefix, index)?;
            }
            for host in &mount.hosts {
                let prefixes = match host.strip_prefix('*') {
                    Some(suffix) => hosts.suffixes.entry(suffix.to_owned()).or_default(),
                    None => hosts.exact.entry(host.clone()).or_default(),
                };
                insert(prefixes, &mount.prefix, index)?;
            }
        }
        Ok(hosts)
    }

    /// The mount for a `Host` header and a path, and the length of its prefix. Exact names win over wildcards, longer
    /// wildcards over shorter ones, and both over mounts for any host; there, the longest prefix wins.
    pub fn find(&self, host: &str, path: &str) -> Option<(usize, usize)> {
        if self.exact.is_empty() && self.suffixes.is_empty() {
            return longest(&self.any, path);
        }
        let name = without_port(host).to_ascii_lowercase();
        let exact = self.exact.get(&name).and_then(|prefixes| longest(prefixes, path));
        let by_suffix = || {
            let dots = name.match_indices('.').map(|(at, _)| &name[at..]);
            dots.filter_map(|suffix| self.suffixes.get(suffix)).find_map(|prefixes| longest(prefixes, path))
        };
        exact.or_else(by_suffix).or_else(|| longest(&self.any, path))
    }
}

fn insert(prefixes: &mut Prefixes, prefix: &str, index: usize) -> Result<(), (usize, usize)> {
    if let Some((_, other)) = prefixes.iter().find(|(known, _)| known == prefix) {
        return Err((*other, index));
    }
    let place = prefixes.partition_point(|(known, _)| known.len() >= prefix.len());
    prefixes.insert(place, (prefix.to_owned(), index));
    Ok(())
}

fn longest(prefixes: &Prefixes, path: &str) -> Option<(usize, usize)> {
    let is_below =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    prefixes.iter().find(|(prefix, _)| is_below(prefix)).map(|(prefix, index)| (*index, prefix.len()))
}

/// The name in a `Host` header. A trailing dot means the same name.
fn without_port(host: &str) -> &str {
    let name = match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mount(hosts: &[&str], prefix: &str) -> Mount {
        let hosts: Vec<_> = hosts.iter().map(|&host| host.to_owned()).collect();
        Mount { hosts: host_names(&hosts).unwrap(), prefix: super::prefix(prefix).unwrap() }
    }

    #[test]
    fn the_nearest_mount_is_found() {
        let hosts = VirtualHosts::new(&[
            mount(&["shop.example", "[::1]"], "/"),
            mount(&["shop.example"], "/api/"),
            mount(&["*.example"], "/"),
            mount(&["*.deep.example"], "/only"),
            mount(&[], "/plugins/a"),
        ])
        .unwrap();
        let find = |host, path| hosts.find(host, path).map(|(index, _)| index);
        assert_eq!(find("shop.example", "/"), Some(0));
        assert_eq!(find("SHOP.example:8000", "/x"), Some(0));
        assert_eq!(find("shop.example.", "/api"), Some(1));
        assert_eq!(find("shop.example", "/api/x"), Some(1));
        assert_eq!(find("shop.example", "/apix"), Some(0));
        assert_eq!(find("[::1]:8000", "/"), Some(0));
        assert_eq!(find("other.example", "/"), Some(2));
        assert_eq!(find("a.deep.example", "/only/x"), Some(3));
        assert_eq!(find("a.deep.example", "/else"), Some(2));
        assert_eq!(find("example", "/"), None);
        assert_eq!(find("elsewhere", "/plugins/a/b"), Some(4));
        assert_eq!(find("shop.example", "/plugins/a"), Some(0));
        assert_eq!(find("", "/"), None);
        assert_eq!(hosts.find("x", "/plugins/a"), Some((4, 10)));
    }

    #[test]
    fn two_apps_in_one_place_are_a_mistake() {
        let both = [mount(&["a.example", "b.example"], "/"), mount(&["b.example"], "/")];
        assert_eq!(VirtualHosts::new(&both).unwrap_err(), (0, 1));
        assert!(VirtualHosts::new(&[mount(&["b.example"], "/"), mount(&[], "/")]).is_ok());
    }

    #[test]
    fn nonsense_is_refused() {
        for host in ["", "*", "*.", "a b", "a.example:80", ".example", "http://a", "a/"] {
            assert!(host_names(&[host.to_owned()]).is_err(), "{host}");
        }
        for text in ["", "shop", "/a//b", "/a/../b", "/{x}", "/a%20", "/a?b"] {
            assert!(prefix(text).is_err(), "{text}");
        }
    }
}
