//! What an app asks for: the first of a block in its file (PEP 723), `pyproject.toml` and `requirements.txt` that has something to
//! say; `uv.lock` beside `pyproject.toml` says which versions.
//!
//! An app's author may be hostile. So a requirement is a name with versions and markers, and nothing that makes an installer read
//! other files, ask other servers or run code: no option, no path, no address.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Most bytes of a file.
pub const MOST_BYTES: u64 = 2 << 20;
/// Most requirements.
const MOST: usize = 2000;
/// Longest requirement.
const LONGEST: usize = 2000;

/// The files that say what an app needs, by name.
pub const FILES: [&str; 3] = [PYPROJECT, LOCK, REQUIREMENTS];
const PYPROJECT: &str = "pyproject.toml";
const LOCK: &str = "uv.lock";
const REQUIREMENTS: &str = "requirements.txt";

/// Servers and tools for developers, which the host replaces, and which need code that is compiled for other systems.
pub const NOT_NEEDED: [&str; 11] = [
    "bjoern",
    "fastapi-cli",
    "fastapi-cloud-cli",
    "gevent",
    "granian",
    "gunicorn",
    "httptools",
    "uvloop",
    "uwsgi",
    "watchdog",
    "watchfiles",
];

/// The requirements of an app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// One each, as an installer reads them, with their hashes.
    pub lines: Vec<String>,
    /// Versions of whatever is installed: `name==version`.
    pub constraints: Vec<String>,
    /// The file that says so.
    pub file: String,
}

impl Requirements {
    /// `app`: the text of the app's file. `read` reads a file of its folder, if it is there. Errors are sentences.
    pub fn of(app: &str, read: impl Fn(&str) -> Result<Option<String>, String>) -> Result<Self, String> {
        if let Some(block) = script_block(app)? {
            let script: Script = toml::from_str(&block).map_err(|e| in_file("the block `script`", &e))?;
            return Self::new("the block `script` of its file", script.dependencies, Vec::new());
        }
        if let Some(text) = read(PYPROJECT)? {
            let whole: PyProject = toml::from_str(&text).map_err(|e| in_file(PYPROJECT, &e))?;
            if let Some(project) = whole.project
                && !project.dependencies.is_empty()
            {
                let constraints = match read(LOCK)? {
                    Some(lock) => locked(&lock)?,
                    None => Vec::new(),
                };
                return Self::new(PYPROJECT, project.dependencies, constraints);
            }
        }
        match read(REQUIREMENTS)? {
            Some(text) => Self::new(REQUIREMENTS, lines(&text)?, Vec::new()),
            None => Ok(Self::default()),
        }
    }

    fn new(file: &str, lines: Vec<String>, constraints: Vec<String>) -> Result<Self, String> {
        if lines.len() + constraints.len() > MOST {
            return Err(format!("{file} has more than {MOST} requirements"));
        }
        for line in &lines {
            check(line).map_err(|why| format!("{file}: {why}"))?;
        }
        Ok(Self { lines, constraints, file: file.to_owned() })
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Without what the host replaces and what is `there`, by normalized name.
    pub fn without(mut self, there: impl Fn(&str) -> bool) -> Self {
        self.lines.retain(|line| {
            let name = normalized(name_of(line));
            !NOT_NEEDED.contains(&&*name) && !there(&name)
        });
        self
    }

    /// With the operator's own.
    pub fn with(mut self, more: &[String]) -> Result<Self, String> {
        for line in more {
            check(line).map_err(|why| format!("--with: {why}"))?;
            self.lines.push(line.clone());
        }
        if self.file.is_empty() && !more.is_empty() {
            "--with".clone_into(&mut self.file);
        }
        Ok(self)
    }
}

#[derive(Deserialize)]
struct Script {
    #[serde(default)]
    dependencies: Vec<String>,
}

#[derive(Deserialize)]
struct PyProject {
    project: Option<Project>,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    dependencies: Vec<String>,
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: Option<String>,
    #[serde(default)]
    source: BTreeMap<String, toml::Value>,
    #[serde(default)]
    wheels: Vec<LockedWheel>,
}

#[derive(Deserialize)]
struct LockedWheel {
    #[serde(default)]
    url: String,
    hash: Option<String>,
}

fn in_file(file: &str, error: &toml::de::Error) -> String {
    format!("{file} cannot be read: {}", error.message())
}

/// The versions of a lock, with the hashes of those packages that have one wheel for all systems: any other would be built for the
/// sandbox, and has none there.
fn locked(text: &str) -> Result<Vec<String>, String> {
    let lock: Lock = toml::from_str(text).map_err(|e| in_file(LOCK, &e))?;
    let mut constraints = Vec::new();
    for package in lock.package {
        let Some(version) = package.version.filter(|_| package.source.contains_key("registry")) else {
            continue;
        };
        let mut line = format!("{}=={version}", package.name);
        check(&line).map_err(|why| format!("{LOCK}: {why}"))?;
        for wheel in package.wheels.iter().filter(|wheel| wheel.url.ends_with("-none-any.whl")) {
            if let Some(hash) = &wheel.hash {
                line += &format!(" --hash={hash}");
            }
        }
        check(&line).map_err(|why| format!("{LOCK}: {why}"))?;
        constraints.push(line);
    }
    Ok(constraints)
}

/// The TOML of the block `script` in the comments of a file (PEP 723).
fn script_block(app: &str) -> Result<Option<String>, String> {
    let mut block: Option<String> = None;
    let mut is_inside = false;
    for line in app.lines() {
        let line = line.trim_end();
        if !is_inside {
            if line == "# /// script" {
                if block.is_some() {
                    return Err("its file has more than one block `script`".to_owned());
                }
                (is_inside, block) = (true, Some(String::new()));
            }
            continue;
        }
        match line.strip_prefix('#') {
            Some(" ///") => is_inside = false,
            Some(content) => {
                let block = block.get_or_insert_default();
                block.push_str(content.strip_prefix(' ').unwrap_or(content));
                block.push('\n');
            }
            // It was never closed, so it is no block.
            None => (is_inside, block) = (false, None),
        }
    }
    Ok(block.filter(|_| !is_inside))
}

/// The requirements of a `requirements.txt`.
fn lines(text: &str) -> Result<Vec<String>, String> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut found = Vec::new();
    for line in joined.lines() {
        let line = line.trim();
        let end = if line.starts_with('#') { Some(0) } else { line.find(" #").or_else(|| line.find("\t#")) };
        let line = end.map_or(line, |end| &line[..end]).trim();
        if line.starts_with('-') {
            let option = line.split_whitespace().next().unwrap_or(line);
            return Err(format!(
                "{REQUIREMENTS}: the host does not follow {option}: list the packages; another index is set with PIP_INDEX_URL in \
                 the host's environment, a folder of wheels with --wheels"
            ));
        }
        if !line.is_empty() {
            found.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    Ok(found)
}

/// The name that a requirement begins with.
pub fn name_of(line: &str) -> &str {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
    &line[..end.unwrap_or(line.len())]
}

/// Names that differ only in case and in `-`, `_`, `.` are the same (PEP 503).
pub fn normalized(name: &str) -> String {
    let parts: Vec<_> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_ascii_lowercase()
}

/// Refuse what is not a name, with extras, versions, a marker and hashes. An installer says whether it is right.
fn check(line: &str) -> Result<(), String> {
    let shown: String = line.chars().take(100).collect();
    let (name, mut rest) = (name_of(line), &line[name_of(line).len()..]);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric());
    if !is_name || line.len() > LONGEST {
        return Err(format!("{shown:?} is no requirement: a package's name, and versions of it"));
    }
    if let Some((before, hashes)) = rest.split_once("--hash=") {
        let is_hash = |part: &str| {
            part.split_once(':').is_some_and(|(kind, digits)| {
                matches!(kind, "sha256" | "sha384" | "sha512")
                    && !digits.is_empty()
                    && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
            })
        };
        if !hashes.split("--hash=").all(|part| is_hash(part.trim())) {
            return Err(format!("{shown:?} has a hash that is none"));
        }
        rest = before;
    }
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']').map_or("[", |(_, rest)| rest).trim_start(),
        None => rest,
    };
    if rest.starts_with('@') || rest.contains("://") {
        return Err(format!("{shown:?} names an address: packages come from an index or from --wheels"));
    }
    let (versions, marker) = rest.split_once(';').unwrap_or((rest, ""));
    let is_version = |c: char| c.is_ascii_alphanumeric() || " .,<>=!~*+-_()".contains(c);
    let is_marker = |c: char| c.is_ascii_graphic() || c == ' ';
    let begins_well = versions.is_empty() || versions.starts_with(['<', '>', '=', '!', '~', '(']);
    let has_option =
        versions.split_whitespace().chain(marker.split_whitespace()).any(|word| word.starts_with('-'));
    if !begins_well || !versions.chars().all(is_version) || !marker.chars().all(is_marker) || has_option {
        return Err(format!("{shown:?} is no requirement: a package's name, and versions of it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(app: &str, files: &[(&str, &str)]) -> Result<Requirements, String> {
        Requirements::of(app, |name| {
            let found = files.iter().find(|(file, _)| *file == name);
            Ok(found.map(|(_, text)| (*text).to_owned()))
        })
    }

    const SCRIPT: &str = "import x\n# /// script\n# requires-python = \">=3.11\"\n# dependencies = [\n#   \"httpx<1\",\n#\n# ]\n# ///\n";

    #[test]
    fn the_first_file_that_has_something_to_say_counts() {
        let project = (PYPROJECT, "[project]\nname = \"shop\"\ndependencies = [\"FastAPI[standard]>=0.1\"]");
        let tools = (PYPROJECT, "[tool.ruff]\nline-length = 100");
        let plain = (
            REQUIREMENTS,
            "# a\n\nFlask == 3.1 # web\nattrs \\\n  --hash=sha256:0aB \\\n  --hash=sha256:1\n",
        );
        let found = of(SCRIPT, &[project, plain]).unwrap();
        assert_eq!(found.lines, ["httpx<1"]);
        assert_eq!(of("", &[project, plain]).unwrap().lines, ["FastAPI[standard]>=0.1"]);
        let found = of("", &[tools, plain]).unwrap();
        assert_eq!(found.lines, ["Flask == 3.1", "attrs --hash=sha256:0aB --hash=sha256:1"]);
        assert_eq!(found.file, REQUIREMENTS);
        assert!(of("", &[tools]).unwrap().is_empty());
        assert!(of("# /// script\n# dependencies = [\"a\"]\n", &[]).unwrap().is_empty(), "it is not closed");
        assert!(of(&SCRIPT.repeat(2), &[]).is_err());
    }

    #[test]
    fn a_lock_says_which_versions() {
        let lock = r#"
version = 1
[[package]]
name = "shop"
version = "0.1.0"
source = { virtual = "." }
[[package]]
name = "idna"
version = "3.10"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://x/idna-3.10-py3-none-any.whl", hash = "sha256:946d" }]
[[package]]
name = "orjson"
version = "3.11.4"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://x/orjson-3.11.4-cp314-cp314-manylinux_x86_64.whl", hash = "sha256:0d" }]
"#;
        let project = (PYPROJECT, "[project]\nname = \"shop\"\ndependencies = [\"idna\"]");
        let found = of("", &[project, (LOCK, lock)]).unwrap();
        assert_eq!(found.constraints, ["idna==3.10 --hash=sha256:946d", "orjson==3.11.4"]);
        assert!(of("", &[project, (LOCK, "[")]).unwrap_err().contains(LOCK));
    }

    #[test]
    fn a_requirement_leads_nowhere_else() {
        for fine in [
            "a",
            "zope.interface",
            "a[b,c]>=1,<2; python_version < \"3.12\" and sys_platform == 'linux'",
            "a (>=1.0)",
            "a~=1.0",
            "a==1.*",
            "a===1+local",
        ] {
            check(fine).unwrap();
        }
        for wrong in [
            "",
            "-e .",
            "--index-url http://x",
            "./a.whl",
            "/etc/passwd",
            "a @ https://x/a.tar.gz",
            "a@file:///etc",
            "git+https://x/y",
            "https://x/y.whl",
            "a --no-binary :all:",
            "a==1 --config-settings=x",
            "a; python_version > '3' --index-url=http://x",
            "a --hash=sha256:zz",
            "a --hash=sha256:0 --index-url=http://x",
            "a --hash=md5:00",
            "a>1\n-e .",
            "a b",
            "é",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
        for option in ["-r other.txt", "-c x", "--extra-index-url http://x", "-e ."] {
            assert!(lines(option).unwrap_err().contains("does not follow"));
        }
        assert_eq!(normalized("Zope.Interface__x"), "zope-interface-x");
    }

    #[test]
    fn what_is_there_or_not_needed_is_left_out() {
        let found = of("", &[(REQUIREMENTS, "uvicorn\nUvLoop\nfastapi\nJinja2>3\n")]).unwrap();
        let found = found.without(|name| name == "jinja2").with(&["attrs".to_owned()]).unwrap();
        assert_eq!(found.lines, ["uvicorn", "fastapi", "attrs"]);
        assert!(found.with(&["-e .".to_owned()]).is_err());
        assert_eq!(Requirements::default().with(&["attrs".to_owned()]).unwrap().file, "--with");
    }
}
