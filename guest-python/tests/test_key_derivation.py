"""`pbkdf2_hmac` in Python has the results of CPython's own."""

import hashlib
from types import ModuleType
from typing import Any

import pytest

from bolt._absent.key_derivation import open_door, pbkdf2_hmac

CASES: list[tuple[Any, ...]] = [
    ("sha256", b"password", b"salt", 1),
    ("sha256", b"password", b"salt", 1000),
    ("sha1", b"", b"", 3, 50),
    ("sha512", b"p" * 300, b"s" * 70, 5),
    ("sha256", b"p" * 64, b"s", 5, 1),
    ("sha256", b"p" * 65, b"s", 5, 100),
    ("md5", bytearray(b"p"), memoryview(b"s"), 2, 33),
]


@pytest.mark.parametrize("case", CASES)
def test_results_are_those_of_cpython(case: tuple[Any, ...]) -> None:
    assert pbkdf2_hmac(*case) == hashlib.pbkdf2_hmac(*case)


WRONG: list[tuple[Any, ...]] = [
    ("sha256", b"p", b"s", 0),
    ("sha256", b"p", b"s", 1, 0),
    ("nothing", b"p", b"s", 1),
    ("sha256", "text", b"s", 1),
    ("sha256", b"p", "text", 1),
    (7, b"p", b"s", 1),
]


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_those_of_cpython(case: tuple[Any, ...]) -> None:
    with pytest.raises(Exception) as ours:
        pbkdf2_hmac(*case)
    with pytest.raises(Exception) as theirs:
        hashlib.pbkdf2_hmac(*case)
    assert isinstance(ours.value, type(theirs.value) if case[0] != "nothing" else ValueError)


def test_it_is_added_where_it_is_missing() -> None:
    module: Any = ModuleType("hashlib")
    open_door(module)
    assert module.pbkdf2_hmac is pbkdf2_hmac
    open_door(hashlib)
    assert hashlib.pbkdf2_hmac is not pbkdf2_hmac
