//! Turns an app's source into compiled code that can be served. Every result is cached under a hash of its inputs.

pub mod app_archive;
pub mod app_files;
#[cfg(feature = "build")]
pub mod child;
pub mod compiler;
pub mod component_file;
#[cfg(feature = "build")]
pub mod early_imports;
#[cfg(feature = "build")]
pub mod embedded;
#[cfg(feature = "build")]
pub mod extensions;
#[cfg(feature = "build")]
pub mod from_source;
#[cfg(feature = "build")]
pub mod packages;
pub mod prepare;
#[cfg(feature = "build")]
pub mod python_env;
pub mod refusal;
#[cfg(feature = "build")]
pub mod sdk_bundle;
#[cfg(feature = "build")]
pub mod trial_import;
#[cfg(feature = "build")]
pub mod wheel_tool;
