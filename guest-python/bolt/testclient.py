"""`TestClient`, where FastAPI has it; see `testing`."""

from .testing import TestClient

__all__ = ["TestClient"]
