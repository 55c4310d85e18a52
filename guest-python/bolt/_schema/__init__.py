"""The type model shared with the host: annotations, constraints, records and parameters."""
