"""Builds wheels for the sandbox's platform from the source distributions of packages."""
