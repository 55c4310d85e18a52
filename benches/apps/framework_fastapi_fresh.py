"""The same in a fresh interpreter for each request."""

# mypy: ignore-errors
# What it imports is installed only where it runs.

from bolt import BoltAPI
from framework_fastapi import app

api = BoltAPI(openapi_url=None, isolation="fresh")
api.mount("/", app)
