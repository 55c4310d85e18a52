"""The app of FastAPI in a fresh interpreter for each request."""

# mypy: ignore-errors
# What it imports is installed only where it runs.

from bolt import BoltAPI
from fastapi_app import app

api = BoltAPI(openapi_url=None, isolation="fresh")
api.mount("/", app)
