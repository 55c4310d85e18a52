"""`Signer`: texts that a client keeps, and cannot change."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["Secret", "Signed", "Signer"]

Keys = str | bytes | Sequence[str | bytes]
Secret = Keys | Callable[[], Keys]

# The seconds of a moment have ten digits for the next 250 years.
_MOST_DIGITS = 12


class Signed(NamedTuple):
    """What a client has sent back.

    text: what was signed.
    at: when, in seconds since 1970.
    is_current: with the first key.
    """

    text: str
    at: int
    is_current: bool


class Signer:
    """Signs with the first key, and accepts signatures of all keys.

    secret: a key, several of them, or a function that returns them. It is called once in each
        interpreter, when the first text is signed or read.
    purpose: signatures for another one are not accepted.
    """

    def __init__(self, secret: Secret, purpose: str) -> None:
        self._secret = secret
        self._purpose = b"bolt " + purpose.encode() + b"\0"
        self._derived: list[bytes] = []
        if not callable(secret):
            self._derive(secret)

    def _derive(self, secret: Keys) -> None:
        found = [secret] if isinstance(secret, (str, bytes)) else list(secret)
        if not found or not all(isinstance(key, (str, bytes)) and key for key in found):
            raise ValueError("a secret key is a text or bytes, and not empty; or several of them")
        secrets = [key.encode() if isinstance(key, str) else key for key in found]
        self._derived = [_mac(key, self._purpose) for key in secrets]

    def _keys(self) -> list[bytes]:
        if not self._derived and callable(self._secret):
            self._derive(self._secret())
        return self._derived

    def sign(self, text: str, at: int) -> str:
        """The text, the moment and their signature. The text is in the alphabet of base64."""
        signed = f"{text}.{at}"
        return f"{signed}.{_signature(self._keys()[0], signed)}"

    def read(self, sent: str) -> Signed | None:
        """What was signed; None for anything else, which anybody may have sent."""
        signed, _, signature = sent.rpartition(".")
        text, _, at = signed.rpartition(".")
        if not sent.isascii() or not at.isdigit() or len(at) > _MOST_DIGITS:
            return None
        given = signature.encode()
        for place, key in enumerate(self._keys()):
            # It takes as long for a wrong signature as for the right one.
            if hmac.compare_digest(_signature(key, signed).encode(), given):
                return Signed(text, int(at), place == 0)
        return None


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _signature(key: bytes, signed: str) -> str:
    return urlsafe_b64encode(_mac(key, signed.encode())).decode().rstrip("=")
