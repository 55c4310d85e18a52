"""Which origins may open a WebSocket: the option, which the host enforces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

__all__ = ["wrong_origins"]

# A scheme, a host name or an address, and a port, as browsers send them.
_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://(\*\.)?([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
)


def wrong_origins(origins: Any) -> Iterator[str]:
    """A sentence for each invalid item of the option `origins`."""
    if origins is None:
        return
    if isinstance(origins, str) or not isinstance(origins, (list, tuple)):
        yield f"origins is a list such as ['https://example.com'], not {origins!r}"
        return
    for origin in origins:
        if not isinstance(origin, str) or (origin != "*" and not _ORIGIN.fullmatch(origin)):
            yield (
                f"{origin!r} is no origin: it has a scheme and a host in lower case, and a port "
                "if there is one, as in 'https://example.com' or 'https://*.example.com:8443'"
            )
