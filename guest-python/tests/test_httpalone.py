"""Modules that `bolt.http` does not import."""

import subprocess
import sys


def test_it_imports_without_httpx() -> None:
    program = """
import sys
sys.modules["httpx"] = None
from bolt import http
from bolt.http import *
assert "bolt.http._transport" not in sys.modules
assert "urllib.request" not in sys.modules and "http.client" not in sys.modules
try:
    http.HTTPXTransport
except ImportError as exc:
    print(exc)
try:
    http.nothing
except AttributeError as exc:
    print(exc)
"""
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert found.stderr == ""
    first, second = found.stdout.splitlines()
    assert first.startswith("HTTPXTransport needs httpx")
    assert second == "module 'bolt.http' has no attribute 'nothing'"
