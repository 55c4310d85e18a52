//! Where the packages that an app asks for come from, as the operator says it.

use std::path::Path;

/// Who may provide packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PackageSource {
    /// Nobody: an app has the packages that are in its folder.
    #[default]
    Off,
    /// Only the operator's folders of wheels.
    Wheels,
    /// The package index, and the operator's folders of wheels.
    Index,
}

impl PackageSource {
    /// As flags and host files name it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "wheels" => Ok(Self::Wheels),
            "index" => Ok(Self::Index),
            _ => Err(format!("{text:?} is none of \"off\", \"wheels\" and \"index\"")),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Wheels => "wheels",
            Self::Index => "index",
        }
    }
}

/// What the operator says of an app's packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageTerms {
    pub source: PackageSource,
    /// Packages besides those that the app asks for, as requirements: `orjson>=3`.
    pub with: Vec<String>,
    /// Folders, or addresses of pages that link to wheels.
    pub wheels: Vec<String>,
}

impl PackageTerms {
    /// `wheels`: folders relative to this one, or addresses. The installer works in another folder, so folders become absolute.
    pub fn below(folder: &Path, source: PackageSource, wheels: Vec<String>) -> Self {
        let found = |place: String| match folder.join(&place).canonicalize() {
            Ok(inside) if inside.is_dir() => inside.display().to_string(),
            _ => place,
        };
        Self { source, with: Vec::new(), wheels: wheels.into_iter().map(found).collect() }
    }
}
