//! An app's manifest: its routes, parameters and models, parsed once from the component's JSON.
//!
//! The JSON comes from a guest and is hostile. This module validates all of it, and the rest of the host relies on
//! that: types are resolved, references are valid, defaults are already marshalled.

mod bounds;
pub mod choices;
pub mod constraints;
mod exact;
pub mod isolation;
pub mod openapi_pages;
pub mod parts;
pub mod pattern;
mod resolver;
pub mod router;
pub mod swagger_ui;
mod table_check;
pub mod table_query;
pub mod type_label;
pub mod types;
pub mod wire;

pub use crate::manifest::parts::{BodyKind, FileRules, Manifest, Param, Route, SleeperEvent};
use crate::manifest::resolver::Resolver;
pub use crate::manifest::types::{Absent, Field, Model, Type};
pub use crate::manifest::wire::{Method, Source};

/// The ABI version of this host; see `wit/bolt.wit`.
pub const ABI: u32 = 4;
/// Most sentences about frozen values.
const MOST_FROZEN: usize = 20;
/// The marshal version that host and guest use.
const MARSHAL_VERSION: u32 = 4;

impl Manifest {
    /// The guest's number for the handler of refusals with `status`, if the app has one.
    pub fn refusal(&self, status: u16) -> Option<usize> {
        let position = self.refusals.iter().position(|refusal| refusal.status == status)?;
        Some(self.routes.len() + position)
    }

    /// The guest's number for the handler of a sleeping socket's event, if the route has one.
    pub fn sleeper(&self, route: usize, event: SleeperEvent) -> Option<usize> {
        let position =
            self.sleepers.iter().position(|sleeper| sleeper.route == route && sleeper.event == event)?;
        Some(self.routes.len() + self.refusals.len() + position)
    }

    /// Sentences about what the build fixes that only run time knows. `env`: the variables at run time.
    pub fn frozen_values(&self, env: &[(String, String)]) -> impl Iterator<Item = String> {
        self.frozen.iter().take(MOST_FROZEN).map(|value| {
            let is_set = value.kind == "variable" && env.iter().any(|(name, _)| *name == value.name);
            let vain = if is_set { " (it is set now, which has no effect)" } else { "" };
            format!("{}{vain}", value.text)
        })
    }

    /// Parse and validate a manifest. Errors are sentences for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        bounds::check_json(json)?;
        let wire: wire::Manifest =
            serde_json::from_str(json).map_err(|e| format!("the app's manifest cannot be read: {e}"))?;
        if wire.abi != ABI {
            return Err(format!(
                "the app was built for ABI {} and this host speaks ABI {ABI}: build it again with this version",
                wire.abi
            ));
        }
        if wire.marshal != MARSHAL_VERSION {
            return Err(format!(
                "the app uses marshal version {}, but this host uses {MARSHAL_VERSION}",
                wire.marshal
            ));
        }
        bounds::check(&wire)?;
        Resolver::new(&wire).resolve(&wire)
    }
}
