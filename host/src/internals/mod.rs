//! Entry points for the project's own tools (fuzz targets and measurements), not a stable API.

pub mod fuzz;
pub mod measure;
