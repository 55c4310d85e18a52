"""What a statement is, by its first words: whether it reads, writes, or ends a transaction."""

from __future__ import annotations

import re

__all__ = ["CHANGES", "begins_at_once", "is_read", "is_rollback_to", "verb"]

CHANGES = frozenset({"insert", "replace", "update", "delete"})
"""The verbs that change rows, and so have a count of them."""

_READS = frozenset({"select", "values", "explain"})
# Possessive, so that no text takes long.
_SPACE = r"(?:\s|;|--[^\n]*|/\*.*?\*/)*+"
_FIRST = re.compile(rf"{_SPACE}([a-z]+)", re.IGNORECASE | re.DOTALL)
# What is not closed goes to the end.
_TOKEN = re.compile(
    r"""
    '(?:[^']|'')*+(?:'|\Z) | "(?:[^"]|"")*+(?:"|\Z) | `[^`]*(?:`|\Z) | \[[^\]]*(?:\]|\Z)
    | --[^\n]* | /\*.*?(?:\*/|\Z) | [()] | \w+
    """,
    re.DOTALL | re.VERBOSE,
)
_ROLLBACK_TO = re.compile(
    rf"{_SPACE}rollback{_SPACE}(?:transaction{_SPACE})?to\b", re.IGNORECASE | re.DOTALL
)
_AT_ONCE = re.compile(rf"{_SPACE}begin{_SPACE}(?:immediate|exclusive)\b", re.IGNORECASE | re.DOTALL)


def verb(text: str) -> str:
    """The word that says what a statement does, in lower case: "" without one.

    It is the first word, but after `with` it is the one behind the common table expressions.
    """
    found = _FIRST.match(text)
    if found is None:
        return ""
    first = found[1].lower()
    if first != "with":
        return first
    depth = 0
    for token in _TOKEN.finditer(text, found.end()):
        word = token[0]
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
        elif depth == 0 and (lower := word.lower()) in CHANGES | _READS:
            return lower
    return "select"


def is_read(verb: str, text: str) -> bool:
    """Whether a connection that only reads can run it. A wrong True is an error of the host."""
    return verb in _READS or (verb == "pragma" and "=" not in text)


def is_rollback_to(text: str) -> bool:
    """Whether it goes back to a savepoint, and the transaction stays open."""
    return _ROLLBACK_TO.match(text) is not None


def begins_at_once(text: str) -> bool:
    """Whether it begins a transaction that writes, as `begin immediate`."""
    return _AT_ONCE.match(text) is not None
