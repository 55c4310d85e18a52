"""`TestClient`, under the path that FastAPI gives it; see `bolt.testing`."""

from .testing import TestClient

__all__ = ["TestClient"]
