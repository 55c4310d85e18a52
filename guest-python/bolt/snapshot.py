"""The heap that every instance starts from, arranged so that a request writes to few pages.

A page of the snapshot that a request writes to is copied first, which costs a page fault, and must
be put back afterwards. Two things spread writes over the heap. Every use of an object writes its
count of references: here those objects become immortal, as the interpreter's own constants are;
they outlive every request anyway. And new objects go where old ones left holes: here the holes are
filled, so that what a request allocates lies side by side. Together they took a fresh "hello" from
141 faults to 57.
"""

from __future__ import annotations

import dis
import gc
import sys
from types import CodeType, FrameType
from typing import Any

# What follows is the layout of CPython 3.14 on 32 bits.
_VERSION, _WORDS = (3, 14), 2**31 - 1
# `_Py_IMMORTAL_INITIAL_REFCNT`.
_IMMORTAL = (5 << 28).to_bytes(4, "little")
# Where bytes and the items of a tuple start: behind count, type, size and hash.
_PAYLOAD = 16
# Where the forged array starts: address 0 would mean that it has no memory.
_ORIGIN = 16
# Data with a single owner is left alone: marshal then knows that it is not shared, and writes it
# faster (10 KB of rows from the snapshot: 11 200 requests/s without this, 15 000 with it).
_LEAVES = frozenset({str, bytes, int, float, bool, type(None)})
# The count of such an object while `immortalize` looks at it: its owner, `found` and the loop.
_ALONE = (3).to_bytes(4, "little")
# Rows of records with lists; beyond that it hardly pays to look.
_DEEPEST = 4
# Blocks of this size are cut from the end of the heap.
_LARGE = 1 << 20

_keep: list[Any] = []


def immortalize() -> int:
    """Make all objects that there are immortal. Returns how many; 0 where the layout is another."""
    if sys.version_info[:2] != _VERSION or sys.maxsize != _WORDS:
        return 0
    found = _reachable()
    memory = _memory()
    sample = object()
    held = [sample] * 7
    at = id(held[0]) - _ORIGIN
    if memory[at : at + 4] != _word(8):
        return 0
    for thing in found:
        at = id(thing) - _ORIGIN
        if memory[at : at + 4] != _ALONE or not _is_data(thing, 0):
            memory[at : at + 4] = _IMMORTAL
    return len(found)


def fill_holes() -> None:
    """Allocate until no hole is left between what there is."""
    frontier = id(bytes(_LARGE))
    size = _LARGE
    while size > _PAYLOAD + 8:
        size -= max(8, size >> 4 & -8)
        block = bytes(size - _PAYLOAD - 1)
        while id(block) < frontier:
            _keep.append(block)
            block = bytes(size - _PAYLOAD - 1)
    smallest = object()
    while id(smallest) < frontier:
        _keep.append(smallest)
        smallest = object()


def _reachable() -> list[Any]:
    """What the collector knows, and all that it refers to, except the frames that are running."""
    # Before anything of our own is made, which need not live for ever.
    todo = gc.get_objects()
    seen = {id(todo)}
    found: list[Any] = []
    while todo:
        new = {
            id(thing): thing
            for thing in todo
            if id(thing) not in seen and type(thing) is not FrameType
        }
        seen.update(new)
        found.extend(new.values())
        todo = gc.get_referents(*new.values())
    return found


def _is_data(thing: object, depth: int) -> bool:
    """A value that JSON could hold, and not the attributes of something."""
    kind = type(thing)
    if kind in _LEAVES:
        return True
    if depth == _DEEPEST:
        return False
    inside: Any = thing
    if kind is dict:
        inside = inside.values()
    elif kind is not list:
        return False
    return bool(inside) and all(_is_data(item, depth + 1) for item in inside)


def _memory() -> bytearray:
    """The linear memory from `_ORIGIN` on, as a bytearray that was never allocated.

    Nothing in Python sets a count. So the array is forged inside a bytes object, and a code object
    is made to load it as a constant from beyond the end of its constants.
    """
    # Large blocks lie behind all others.
    blocks = [bytes(size) for size in (200_000, 400_000, 800_000)]
    size = max(id(block) + len(block) for block in blocks)
    # Behind the count: type, size, allocated, ob_bytes, ob_start, exports.
    fields = (id(bytearray), size, size + 1, _ORIGIN, _ORIGIN, 0)
    fake = _IMMORTAL + b"".join(map(_word, fields))
    pointer = _word(id(fake) + _PAYLOAD)
    _keep.extend((fake, pointer))
    loaded: Any = eval(_constant_at((id(pointer) - id(())) // 4 & 0x3FFFFFFF))
    return loaded  # type: ignore[no-any-return]


def _constant_at(index: int) -> CodeType:
    """Code that gives the constant of this index, wherever the constants end."""
    op = dis.opmap
    extended = [
        byte for shift in (24, 16, 8) for byte in (op["EXTENDED_ARG"], index >> shift & 0xFF)
    ]
    loading = [*extended, op["LOAD_CONST"], index & 0xFF, op["RETURN_VALUE"], 0]
    return (lambda: None).__code__.replace(
        co_code=bytes([op["RESUME"], 0, *loading]), co_consts=(), co_stacksize=4
    )


def _word(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4, "little")
