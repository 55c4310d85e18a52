"""Doors for apps that other frameworks made: ASGI and WSGI."""
