"""The version of the SDK, in a module without imports so that every other module can read it."""

__all__ = ["__version__"]

__version__ = "0.1.0"
