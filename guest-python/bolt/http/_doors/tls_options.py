"""Which options of TLS the doors ignore, and which they refuse.

The host verifies every server, by the certificates of the system that it runs on. An option that
asks for less (`verify=False`) is ignored: the app gets more than it asked for, and a server without
a valid certificate is an error as before. An option that asks for something else, such as a client
certificate or an authority of its own, is refused: the request would go out with less than the app
relies on. Nothing can be read out of an SSLContext, so it is ignored.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["check_authorities", "refuse"]

_SENTENCE = (
    "the host speaks TLS for the app, by the certificates of its own system, and takes no {what} "
    "from the app: leave {name} out"
)


def refuse(what: str, name: str, value: Any) -> None:
    """Raise ValueError if there is a value: the option has no equivalent in the host."""
    if value:
        raise ValueError(_SENTENCE.format(what=what, name=name))


def check_authorities(name: str, path: Any) -> None:
    """Raise ValueError for a bundle of certificates unless it is certifi's.

    Certifi's has the public authorities, which the systems of hosts know as well.
    """
    if isinstance(path, str):
        certifi = sys.modules.get("certifi")
        if certifi is None or path != certifi.where():
            refuse("certificates of authorities", name, path)
