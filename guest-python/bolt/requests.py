"""`Request`, where FastAPI has it."""

from .request import Request

__all__ = ["Request"]
