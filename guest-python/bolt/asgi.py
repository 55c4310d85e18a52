"""`ASGIApp`: an app of FastAPI, Starlette, Litestar, Quart or Django, served by bolt-host.

    from bolt import BoltAPI
    from bolt.asgi import ASGIApp

    api = BoltAPI()
    api.mount("/old", ASGIApp(starlette_app))

`api.mount("/old", starlette_app)` does the same; the class is for options.
"""

from __future__ import annotations

from ._doors.apps import ASGIApp

__all__ = ["ASGIApp"]

ASGIApp.__module__ = __name__
