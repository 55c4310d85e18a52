"""What goes wrong with keys and values."""

from __future__ import annotations

import json

__all__ = ["DataError", "Error", "LimitExceeded", "NotGranted", "Unavailable", "failure"]


class Error(Exception):
    """Everything that a store raises."""


class NotGranted(Error):
    """The app has no store of this name."""


class LimitExceeded(Error):
    """A limit of the app or of the store, which the message names."""


class DataError(Error):
    """The value of a key is not what the method needs, as text for `incr`."""


class Unavailable(Error):
    """The store is away or broken, or has no time for the command.

    A handler that does not catch it answers 503.
    """

    status_of_reply = 503


_KINDS: dict[str, type[Error]] = {
    "denied": NotGranted,
    "limit": LimitExceeded,
    "operational": Unavailable,
    "busy": Unavailable,
    "data": DataError,
    "cancelled": Error,
}
# Tracebacks name them by the path that an author imports them from.
for _kind in (Error, NotGranted, LimitExceeded, DataError, Unavailable):
    _kind.__module__ = "bolt.kv"


def failure(told: str) -> Error:
    """The exception for what the host has told, which is JSON."""
    fields = json.loads(told)
    return _KINDS.get(fields["kind"], Error)(fields["message"])
