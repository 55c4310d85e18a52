"""`ctypes.util`: no library is found."""

from __future__ import annotations

__all__ = ["dllist", "find_library"]


def find_library(name: str) -> str | None:
    """None, as for a library that is not installed."""
    return None


def dllist() -> list[str]:
    """Nothing: no library is loaded."""
    return []
