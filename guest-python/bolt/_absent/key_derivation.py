"""The door of `hashlib`: `pbkdf2_hmac`, which CPython has only with OpenSSL.

Django and Werkzeug keep passwords with it. A million iterations take a second or two here.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["open_door", "pbkdf2_hmac"]


def open_door(module: ModuleType) -> None:
    """Add `pbkdf2_hmac`, if it is not there."""
    hashlib: Any = module
    if not hasattr(hashlib, "pbkdf2_hmac"):
        hashlib.pbkdf2_hmac = pbkdf2_hmac


def pbkdf2_hmac(
    hash_name: str, password: Any, salt: Any, iterations: int, dklen: int | None = None
) -> bytes:
    """As CPython's (RFC 8018).

    dklen: bytes of the result; None for as many as the hash has.
    Raises ValueError for an unknown hash, and for numbers below one.
    """
    # Every interpreter has this module, few need those.
    import hashlib
    import hmac

    if not isinstance(hash_name, str):
        raise TypeError(hash_name)
    key, salt = bytes(memoryview(password)), bytes(memoryview(salt))
    whole = hmac.new(key, None, hash_name)
    size = whole.digest_size
    length = size if dklen is None else dklen
    if iterations < 1:
        raise ValueError("iteration value must be greater than 0.")
    if length < 1:
        raise ValueError("key length must be greater than 0.")
    # A longer key would be hashed each time.
    if len(key) > whole.block_size:
        key = hashlib.new(hash_name, key).digest()
    starts = (salt + number.to_bytes(4, "big") for number in range(1, -(-length // size) + 1))
    blocks = [_block(hmac.digest, hash_name, key, start, iterations) for start in starts]
    return b"".join(blocks)[:length]


def _block(
    digest: Callable[[bytes, bytes, str], bytes],
    hash_name: str,
    key: bytes,
    start: bytes,
    iterations: int,
) -> bytes:
    from_bytes = int.from_bytes
    last = digest(key, start, hash_name)
    found = from_bytes(last, "big")
    for _ in range(iterations - 1):
        last = digest(key, last, hash_name)
        found ^= from_bytes(last, "big")
    return found.to_bytes(len(last), "big")
