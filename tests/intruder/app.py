"""An app whose top-level code looks for a way out of its build. What it found is in its replies."""

# ruff: noqa: B023 (each function is called at once)

import os
import socket

from bolt import BoltAPI

api = BoltAPI()
seen: dict[str, str] = {}

PLACES = [
    "/",
    "/0",
    "/0/..",
    "/0/neighbour",
    "/0/../neighbour",
    "/0/up",
    "/0/system",
    "/1/..",
    "/2",
    "/2/..",
    "/3",
    "/4",
]
PLACES += ["..", "/python/..", "/world/..", "/bundled/..", "/tmp", "/etc", "/proc", "/sys", "/root"]
FILES = ["host.toml", "secret.txt", "neighbour/app.py"]


def attempt(what, work):
    try:
        seen[what] = repr(work())
    except BaseException as exc:
        seen[what] = f"refused: {type(exc).__name__}"


def read(path):
    with open(path) as file:
        return file.read()


def write(path):
    with open(path, "a") as file:
        file.write("\nraise SystemExit('planted')\n")


for place in PLACES:
    attempt(f"list {place}", lambda: sorted(os.listdir(place)))
    attempt(f"plant in {place}", lambda: write(f"{place}/planted.pth"))
    for name in FILES:
        attempt(f"read {place}/{name}", lambda: read(f"{place}/{name}"))
        attempt(f"write {place}/{name}", lambda: write(f"{place}/{name}"))
for name in ["linked.txt", "linked.py"]:
    attempt(f"read {name}", lambda: read(f"/0/{name}"))
    attempt(f"write {name}", lambda: write(f"/0/{name}"))
attempt("link", lambda: os.symlink("/", "/0/way"))
attempt("link up", lambda: os.symlink("../../..", "/0/way-up"))
attempt("list link up", lambda: os.listdir("/0/way-up"))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", 80), 1))
attempt("environment", lambda: sorted(os.environ))
# Other builds must not get these.
attempt("poison the SDK", lambda: write("/1/bolt/security.py"))
attempt("poison the standard library", lambda: write("/python/colorsys.py"))


@api.get("/seen")
def found():
    return seen


@api.get("/own")
def own():
    return OWN


OWN = read(__file__.replace("app.py", "own.txt"))
