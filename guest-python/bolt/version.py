"""The version of the SDK, in a module of its own so that every other one can import it."""

__version__ = "0.1.0"
