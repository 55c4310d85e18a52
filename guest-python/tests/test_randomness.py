"""Generators of random numbers that exist when the snapshot is taken: which get a new seed."""

import copy
import pickle
import random
import tempfile
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from bolt._runtime.randomness import Generators


class Dice(random.Random):
    """A subclass, as libraries have them."""

    def roll(self) -> int:
        return self.randint(1, 10**9)


class Strict(random.Random):
    """Its `seed` cannot be called without arguments."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self.start = start

    def seed(self, a: Any = None, version: int = 2, *, loud: bool = False) -> None:
        super().seed(a, version)


class Alike(random.Random):
    """All are equal, so a table by equality would mix them up."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike)

    def __hash__(self) -> int:
        return 1


@pytest.fixture
def shared() -> Iterator[None]:
    state = random.getstate()
    yield
    random.setstate(state)


def restored(seed: Any, made: dict[str, random.Random]) -> dict[str, list[float]]:
    """Two draws of each generator, in two instances that start from the same memory."""
    # What the snapshot has of each of them.
    memory = {name: pickle.dumps(generator.getstate()) for name, generator in made.items()}
    draws: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(2):
        for name, generator in made.items():
            generator.setstate(pickle.loads(memory[name]))
        seed()
        for name, generator in made.items():
            draws[name].append(generator.random())
    return draws


def test_unseeded_generators_differ_and_seeded_ones_do_not(shared: None) -> None:
    generators = Generators()
    before = random.Random()
    generators.watch()
    plain, dice, strict = random.Random(), Dice(), Strict(3)
    reseeded = random.Random(5)
    reseeded.seed()
    alike, alike_seeded = Alike(), Alike(4)
    fresh = {
        "before": before,
        "plain": plain,
        "subclass": dice,
        "own seed": strict,
        "seeded, and then not": reseeded,
        "equal": alike,
        "copied": copy.copy(plain),
        "deeply copied": copy.deepcopy(dice),
        "pickled": pickle.loads(pickle.dumps(plain)),
        "copied by state": random.Random(6),
        "of tempfile": tempfile._RandomNameSequence().rng,  # type: ignore[attr-defined]
    }
    fresh["copied by state"].setstate(plain.getstate())
    seeded = random.Random(42)
    late = random.Random()
    late.seed("x")
    kept = {
        "seeded": seeded,
        "seeded late": late,
        "seeded subclass": Dice(7),
        "seeded, equal": alike_seeded,
        "copied": copy.copy(seeded),
        "deeply copied": copy.deepcopy(seeded),
        "pickled": pickle.loads(pickle.dumps(seeded)),
        "with a state": random.Random(),
        "None is no seed, 0 is": random.Random(0),
    }
    kept["with a state"].setstate(random.Random(1).getstate())
    generators.settle()
    draws = restored(generators.seed, {**fresh, **{f"kept {name}": kept[name] for name in kept}})
    for name in fresh:
        assert draws[name][0] != draws[name][1], name
    for name in kept:
        first, second = draws[f"kept {name}"]
        assert first == second, name
    assert draws["kept seeded"][0] == random.Random(42).random()


def test_the_shared_generator_keeps_a_seed_of_the_app(shared: None) -> None:
    for seed, same in ((lambda: random.seed(42), True), (lambda: random.seed(), False)):
        generators = Generators()
        generators.watch()
        seed()
        generators.settle()
        state = random.getstate()
        draws = []
        for _ in range(2):
            random.setstate(state)
            generators.seed()
            draws.append(random.random())
        assert (draws[0] == draws[1]) is same


def test_without_generators_an_instance_only_seeds_the_shared_one(
    shared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    generators = Generators()
    generators.watch()
    random.Random(1)
    kept = random.SystemRandom()
    generators.settle()
    monkeypatch.setattr(generators, "_found", [])
    assert generators.seed == random.seed and kept.random() < 1


def test_the_methods_are_those_of_python_afterwards(shared: None) -> None:
    before = {name: getattr(random.Random, name) for name in ("seed", "getstate", "setstate")}
    generators = Generators()
    generators.watch()
    # As an app does with `from random import seed`.
    seed = random.seed
    assert random.Random.seed is not before["seed"]
    generators.settle()
    assert {name: getattr(random.Random, name) for name in before} == before
    assert random.seed == generators.shared_seed
    seed(3)
    first = random.random()
    random.seed(3)
    assert random.random() == first


def test_generators_that_are_gone_are_not_kept(shared: None) -> None:
    generators = Generators()
    generators.watch()
    for number in range(100):
        random.Random(number)
    assert len(generators._chosen) < 2
    generators.settle()


def test_the_node_of_uuid_is_drawn_anew(shared: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uuid, "_node", 5)
    generators = Generators()
    generators.watch()
    generators.settle()
    assert uuid._node is None  # type: ignore[attr-defined]
