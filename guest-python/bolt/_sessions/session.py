"""`Session`: what an app remembers of a client from one request to the next."""

from __future__ import annotations

from typing import Any

from .._kv.values import json_of

__all__ = ["Session"]


class Session(dict[str, Any]):
    """The data of a session: a dict of JSON values, with texts as keys.

    before: its JSON text when it was first used, or None if nobody has used it.
    rotates: it gets another id.
    """

    before: str | None = None
    rotates = False

    def use(self) -> Session:
        """Note that the handler uses it. The text is compared afterwards, so that also a change
        deep inside is found."""
        if self.before is None:
            self.before = json_of(self)
        return self

    def rotate(self) -> None:
        """Give the session another id, as after a login: the one before is not valid any more.

        Otherwise who has made a client use an id that he knows would be logged in with it. A
        session that is kept in its cookie has no id.
        """
        self.rotates = True

    def clear(self) -> None:
        """Remove everything. What is added afterwards is a session with another id."""
        super().clear()
        self.rotates = True
