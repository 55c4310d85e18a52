//! An app as an operator names it: a Python file or a component, and how it is to be linked.

use crate::config::AppConfig;
use crate::config::app_source::AppRef;
use crate::config::virtual_hosts::Mount;
use std::path::PathBuf;

/// What somebody calls an app.
#[derive(Debug, Clone)]
pub struct Origin {
    /// A `.py` file, or a component.
    pub path: PathBuf,
    /// Where the app is in it, when that is not its usual place.
    pub app: Option<String>,
    pub linking: Linking,
    /// Build again even when nothing changed.
    pub rebuild: bool,
}

impl Origin {
    /// It has to be built from source.
    pub fn is_python(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "py")
    }

    pub fn app_ref(&self) -> Result<AppRef, String> {
        AppRef::new(&self.path, self.app.as_deref())
    }
}

/// What becomes of the core modules that a component is linked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    /// They are merged into one; `names`: with the names of functions, for traps and profiles.
    Flat { names: bool },
    /// They stay, and are linked whenever there is a new instance.
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
