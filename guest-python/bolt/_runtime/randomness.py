"""Seeds the generators of random numbers that an app made before the snapshot, in each instance.

All instances start from one snapshot, so an unseeded `random.Random()` at module level would give
all of them the same numbers. While the app is imported, the methods of `random.Random` note which
generators have a state that the app chose: `Random(42)` stays as it is.
"""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["Generators"]

_SEED = random.Random.seed
_GETSTATE = random.Random.getstate
_SETSTATE = random.Random.setstate
# Functions of the module are bound methods of one generator.
_SHARED: Any = random.seed.__self__  # type: ignore[attr-defined]
_BOUND = ("seed", "getstate", "setstate")


class Generators:
    """The generators that exist when the snapshot is taken."""

    def __init__(self) -> None:
        # By id, because a subclass may define equality.
        self._chosen: dict[int, weakref.ref[Any]] = {}
        # The hashes of states that were read from generators that nobody has seeded: a copy of such
        # a generator gets its state, and is as unseeded as the original.
        self._unseeded_states: set[int] = set()
        self._watching = False
        self._found: list[random.Random] = []
        self._seeds_shared = True

    def watch(self) -> None:
        """Begin to note which generators get a seed or a state."""
        self._watching = True
        replacements = {"seed": self._seed(), "getstate": self._getstate(), "setstate": self._set()}
        for name, method in replacements.items():
            setattr(random.Random, name, method)
        for name in _BOUND:
            setattr(random, name, getattr(_SHARED, name))

    def settle(self) -> None:
        """End that, and find the generators to seed."""
        self._watching = False
        for name, method in zip(_BOUND, (_SEED, _GETSTATE, _SETSTATE), strict=True):
            setattr(random.Random, name, method)
            setattr(random, name, getattr(_SHARED, name))
        self._seeds_shared = id(_SHARED) not in self._chosen
        self._found = [
            thing
            for thing in gc.get_objects()
            # Not `isinstance`, which asks an object for its class, and so may run code of the app.
            if issubclass(type(thing), random.Random)
            and not issubclass(type(thing), random.SystemRandom)
            and thing is not _SHARED
            and id(thing) not in self._chosen
        ]
        self._chosen.clear()
        self._unseeded_states.clear()
        _forget_node()

    @property
    def shared_seed(self) -> Any:
        """`random.seed` as it is without this module."""
        return _SHARED.seed

    @property
    def seed(self) -> Any:
        """The function that a new instance calls: as cheap as `random.seed` if there are none."""
        return self.shared_seed if self._seeds_shared and not self._found else self._seed_all

    def _seed_all(self) -> None:
        if self._seeds_shared:
            _SEED(_SHARED)
        for generator in self._found:
            # The method of the base class: one of a subclass may ask for arguments.
            with contextlib.suppress(Exception):
                _SEED(generator)

    # The methods of `random.Random` during the import. The app may keep them, bound to a generator.

    def _seed(self) -> Callable[..., None]:
        def seed(generator: random.Random, a: Any = None, version: int = 2) -> None:
            """Initialize internal state from a seed."""
            _SEED(generator, a, version)
            self._note(generator, a is not None)

        return seed

    def _getstate(self) -> Callable[[random.Random], tuple[Any, ...]]:
        def getstate(generator: random.Random) -> tuple[Any, ...]:
            """Return internal state; can be passed to setstate() later."""
            state = _GETSTATE(generator)
            if self._watching and id(generator) not in self._chosen:
                self._unseeded_states.add(hash(state[1]))
            return state

        return getstate

    def _set(self) -> Callable[[random.Random, Any], None]:
        def setstate(generator: random.Random, state: Any) -> None:
            """Restore internal state from object returned by getstate()."""
            _SETSTATE(generator, state)
            # As it is stored, because pickle may give it as another type.
            self._note(generator, hash(_GETSTATE(generator)[1]) not in self._unseeded_states)

        return setstate

    def _note(self, generator: random.Random, chosen: bool) -> None:
        if not self._watching:
            return
        key = id(generator)
        self._chosen.pop(key, None)
        if chosen:
            self._chosen[key] = weakref.ref(generator, lambda _: self._chosen.pop(key, None))


def _forget_node() -> None:
    """Forget the number that `uuid` draws for a machine without a network address."""
    uuid: Any = sys.modules.get("uuid")
    if uuid is not None:
        uuid._node = None
