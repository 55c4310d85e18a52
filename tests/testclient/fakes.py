"""Fakes that the tests use instead of dependencies."""


def fake_store() -> str:
    return "a fake store"
