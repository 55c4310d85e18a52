"""The application."""

from bolt import BoltAPI

from .routers import items

api = BoltAPI(title="Store")
api.include_router(items.router)
