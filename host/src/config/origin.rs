//! Where an app comes from: a Python file or a component, and how to link it.

use crate::config::AppConfig;
use crate::config::app_source::{AppRef, Root};
use crate::config::packages::PackageTerms;
use crate::config::virtual_hosts::Mount;
use std::path::PathBuf;

/// An app as an operator specifies it.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The app's name in the log, if a host has several.
    pub name: Option<String>,
    /// A `.py` file, or a component.
    pub path: PathBuf,
    /// The app's `module:attr` in it, if not the default.
    pub app: Option<String>,
    /// The folder that its imports begin in.
    pub root: Root,
    pub linking: Linking,
    /// Folders that are granted to the app under names of their own: what is in them changes while it runs, and is no part of it.
    pub left_out: Vec<PathBuf>,
    /// Environment variables of its build.
    pub build_env: Vec<(String, String)>,
    /// Where the packages that it asks for come from.
    pub packages: PackageTerms,
    /// Build again even when nothing changed.
    pub rebuild: bool,
}

impl Origin {
    /// Whether it must be built from source.
    pub fn is_python(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "py")
    }

    pub fn app_ref(&self) -> Result<AppRef, String> {
        let app = AppRef::new(&self.path, self.app.as_deref(), &self.root)?;
        Ok(AppRef { build_env: self.build_env.clone(), ..app.without(&self.left_out) })
    }
}

/// What to do with the core modules that a component is linked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    /// Merge them into one; `names`: keep function names, for traps and profiles.
    Flat { names: bool },
    /// Leave them as they are; every new instance links them again.
    Left,
}

impl Default for Linking {
    fn default() -> Self {
        Self::Flat { names: true }
    }
}

/// An app of a host file.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub name: String,
    pub origin: Origin,
    pub mount: Mount,
    pub config: AppConfig,
}
