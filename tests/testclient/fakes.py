"""What the tests put in place of dependencies."""


def fake_store() -> str:
    return "a fake store"
