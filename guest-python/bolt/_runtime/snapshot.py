"""Arranges the heap of the snapshot, from which every instance starts, to dirty few pages.

The first write to a page of the snapshot copies the page, which costs a page fault, and a reset has
to restore it. Two things spread writes over the heap. Every use of an object writes its reference
count: `immortalize` makes the objects immortal, as the interpreter's own constants are, since they
outlive every request anyway. And the allocator places new objects into free gaps between old ones:
`fill_holes` fills the gaps, so that the objects of a request lie next to each other. Together they
reduce the page faults of a "hello" request in a fresh instance from 141 to 57.

The interpreter also writes into code that it executes: counters, caches, and which way each branch
went, every time. `gather_code` puts the code that requests execute into pages of its own.
"""

from __future__ import annotations

import dis
import gc
import sys
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any

__all__ = ["CodeStates", "LastArguments", "fill_holes", "gather_code", "immortalize"]

# The constants below describe the layout of CPython 3.14 on 32 bits.
_VERSION, _WORDS = (3, 14), 2**31 - 1
# `_Py_IMMORTAL_INITIAL_REFCNT`.
_IMMORTAL = (5 << 28).to_bytes(4, "little")
# The offset of the data of bytes and tuples: after reference count, type, size and hash.
_PAYLOAD = 16
# The first address of the forged bytearray: address 0 would mean that it has no memory.
_ORIGIN = 16
# Lists and dicts of data, and what is in them, stay countable while they have a single owner:
# marshal encodes an object faster when its reference count shows that it is not shared (10 KB of
# rows: 15 000 requests/s instead of 11 200). What is in no such container, as the constants of
# functions, does not: apps of FastAPI answer 510 requests/s instead of 430 in fresh interpreters.
_LEAVES = frozenset({str, bytes, int, float, bool, type(None)})
_CONTAINERS = frozenset({list, dict})
# The reference count of such an object in `immortalize`: its owner, `found` and the loop variable.
_ALONE = (3).to_bytes(4, "little")
# Enough for rows of records with lists; a deeper search takes more time than it saves.
_DEEPEST = 4
# The allocator takes blocks of this size from the end of the heap.
_LARGE = 1 << 20

_keep: list[Any] = []


class LastArguments(list[str]):
    """`sys.argv`. Emptying it is the last thing that the runtime does before the snapshot is taken.

    settle: called then, after the runtime has created all its objects.
    """

    def __init__(self, settle: Callable[[], None]) -> None:
        super().__init__([""])
        self._settle = settle

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(index)
        self._settle()


def immortalize() -> int:
    """Make all existing objects immortal. Returns how many; 0 for an unknown memory layout."""
    if sys.version_info[:2] != _VERSION or sys.maxsize != _WORDS:
        return 0
    found = _reachable()
    memory = _memory()
    sample = object()
    held = [sample] * 7
    at = id(held[0]) - _ORIGIN
    if memory[at : at + 4] != _word(8):
        return 0
    data: set[int] = set()
    for thing in found:
        if type(thing) in _CONTAINERS and id(thing) not in data and _is_data(thing, 0):
            _note_all(thing, data)
    for thing in found:
        at = id(thing) - _ORIGIN
        if memory[at : at + 4] != _ALONE or id(thing) not in data:
            memory[at : at + 4] = _IMMORTAL
    return len(found)


def fill_holes() -> None:
    """Allocate memory until there is no free gap between the existing objects."""
    last = max(map(id, gc.get_objects()))
    block = bytes(_LARGE)
    while id(block) < last:
        _keep.append(block)
        block = bytes(_LARGE)
    frontier = id(block)
    del block
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


class CodeStates:
    """What the code of all functions looks like now."""

    def __init__(self) -> None:
        self._states: dict[int, tuple[CodeType, int]] = {}
        for function in _functions():
            self._note(function.__code__)

    def _note(self, code: CodeType) -> None:
        if id(code) in self._states:
            return
        self._states[id(code)] = code, _state(code)
        for constant in code.co_consts:
            if type(constant) is CodeType:
                self._note(constant)

    def changed(self) -> list[CodeType]:
        """The code that the interpreter has written into since then, by executing it."""
        return [code for code, state in self._states.values() if _state(code) != state]


def gather_code(codes: list[CodeType]) -> None:
    """Move code into adjacent memory: copies replace it. They have to be executed to be warm."""
    fill_holes()
    moving = {id(code): code for code in codes}
    moved: dict[int, CodeType] = {}

    def move(code: CodeType) -> CodeType:
        if id(code) not in moving:
            return code
        if id(code) not in moved:
            constants = tuple(
                move(constant) if type(constant) is CodeType else constant
                for constant in code.co_consts
            )
            moved[id(code)] = code.replace(co_consts=constants)
        return moved[id(code)]

    # The old code is kept until the end, or copies would go into the gaps that it leaves.
    for code in codes:
        move(code)
    for function in _functions():
        copy = moved.get(id(function.__code__))
        if copy is not None:
            function.__code__ = copy


def _functions() -> list[FunctionType]:
    return [thing for thing in gc.get_objects() if type(thing) is FunctionType]


def _state(code: CodeType) -> int:
    return hash(code._co_code_adaptive)  # type: ignore[attr-defined]


def _reachable() -> list[Any]:
    """The objects that the collector tracks and all that they refer to, without running frames."""
    # First, before this function creates objects, which need not be immortal.
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
        # The collector does not look into code, whose constants are used whenever it runs.
        for thing in new.values():
            if type(thing) is CodeType:
                todo += (thing.co_consts, thing.co_name, thing.co_qualname, *thing.co_consts)
    return found


def _is_data(thing: object, depth: int) -> bool:
    """Whether it is a JSON value, and not the `__dict__` of an object."""
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


def _note_all(thing: Any, ids: set[int]) -> None:
    """Add a JSON value and all that is in it."""
    ids.add(id(thing))
    kind = type(thing)
    if kind in _CONTAINERS:
        for item in thing.values() if kind is dict else thing:
            _note_all(item, ids)


def _memory() -> bytearray:
    """The linear memory from `_ORIGIN` on, as a bytearray that was never allocated.

    Python code cannot set a reference count. So the function forges a bytearray inside a bytes
    object, and creates a code object that loads it by an index beyond the end of its constants.
    """
    # Large blocks are at the end of the memory.
    blocks = [bytes(size) for size in (200_000, 400_000, 800_000)]
    size = max(id(block) + len(block) for block in blocks)
    # The fields after the reference count: type, size, allocated, ob_bytes, ob_start, exports.
    fields = (id(bytearray), size, size + 1, _ORIGIN, _ORIGIN, 0)
    fake = _IMMORTAL + b"".join(map(_word, fields))
    pointer = _word(id(fake) + _PAYLOAD)
    _keep.extend((fake, pointer))
    loaded: Any = eval(_constant_at((id(pointer) - id(())) // 4 & 0x3FFFFFFF))
    return loaded  # type: ignore[no-any-return]


def _constant_at(index: int) -> CodeType:
    """Code that returns the constant of this index, which is not checked against the constants."""
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
