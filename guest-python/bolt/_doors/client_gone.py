"""`ClientGone`: what an app gets that sends to a client who has left, and what it makes of that."""

from __future__ import annotations

__all__ = ["ClientGone", "is_of_leaving"]

# What frameworks raise for a client that is gone.
_LEAVING = frozenset({"ClientDisconnect", "WebSocketDisconnect"})


class ClientGone(OSError):
    """The client of a response is gone, so nothing more can be sent."""

    def __init__(self) -> None:
        super().__init__("the client is gone")


def is_of_leaving(exc: BaseException) -> bool:
    """Whether an app raised because its client is gone."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [exc]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, ClientGone) or type(one).__name__ in _LEAVING:
            return True
        pending += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return False
