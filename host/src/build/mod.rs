//! From an app's source to compiled code that can be served. Every result is cached by what went into it.

#[cfg(feature = "build")]
pub mod builder;
pub mod compiler;
pub mod component_file;
#[cfg(feature = "build")]
pub mod python_env;
#[cfg(feature = "build")]
pub mod sdk_bundle;
