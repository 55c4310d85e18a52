//! For the project's own tools, and no promise to others: fuzz targets, and the measurement of instances.

pub mod fuzz;
pub mod measure;
