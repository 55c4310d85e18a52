"""`TestClient`, under the path that FastAPI gives it; see `bolt.testing`."""

from .testing import TestClient, WebSocketDenialResponse, WebSocketTestSession

__all__ = ["TestClient", "WebSocketDenialResponse", "WebSocketTestSession"]
