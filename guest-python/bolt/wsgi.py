"""`WSGIApp`: an app of Flask, Bottle, Falcon or Django, served by bolt-host.

    from bolt import BoltAPI
    from bolt.wsgi import WSGIApp

    api = BoltAPI()
    api.mount("/old", WSGIApp(flask_app))

`api.mount("/old", flask_app)` does the same; the class is for options. `WSGIMiddleware` is the name
that FastAPI's users know.
"""

from __future__ import annotations

from ._doors.apps import WSGIApp

__all__ = ["WSGIApp", "WSGIMiddleware"]

WSGIApp.__module__ = __name__

WSGIMiddleware = WSGIApp
