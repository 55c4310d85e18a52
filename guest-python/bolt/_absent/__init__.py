"""Modules of the standard library that the sandbox lacks and that packages import all the same."""
