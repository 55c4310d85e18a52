"""Calls of handlers and their dependencies: from a signature to one compiled function."""
