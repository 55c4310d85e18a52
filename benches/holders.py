"""Processes that hold WebSockets for streams.py, as many as one process may have connections.

Run as a program this is such a process: it opens its WebSockets, and for each number on standard
input says something on so many of them.
"""

from __future__ import annotations

import contextlib
import json
import resource
import select
import subprocess
import sys
from collections.abc import Iterator

from load import BenchError
from stream_clients import WebSockets

# Descriptors that a program has open besides its connections.
OTHER_FILES = 500
# A client has about 28,000 ports for each of its addresses.
SOCKETS_EACH = 10_000


def file_limit() -> int:
    """Raise the limit of open files of this process as far as possible, and return it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    top = 1_000_000 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
    return top


def most_connections(files: int) -> int:
    """The connections that servers keep with so many open files.

    bolt-host keeps an eighth for itself, and half of the others are for clients. Each worker has
    an equal share, but not exactly as many connections, so a twentieth is left.
    """
    reserve = min(max(files // 8, 32), 1024, files // 2)
    return int((files - reserve) / 2 * 0.95)


class Holder:
    """One process, and the WebSockets that it holds."""

    def __init__(self, port: int, count: int, source: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-B", __file__, str(port), str(count), source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None and self.process.stderr is not None
        line = self.process.stdout.readline()
        if not line:
            said = self.process.stderr.read().strip().splitlines()
            raise BenchError(f"a client ended: {said[-1] if said else 'it printed nothing'}")
        return line

    def ask(self, count: int) -> tuple[list[float], int]:
        """Say something on so many: ms until each is answered, and how many were lost so far."""
        assert self.process.stdin is not None
        print(count, file=self.process.stdin, flush=True)
        found = json.loads(self.line())
        return found["times"], found["lost"]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def holding(port: int, count: int) -> Iterator[list[Holder]]:
    """Hold so many open WebSockets."""
    each = min(SOCKETS_EACH, file_limit() - OTHER_FILES)
    with contextlib.ExitStack() as stack:
        holders = []
        # One after another: the server's queue of new connections is for all.
        for index, first in enumerate(range(0, count, each)):
            holder = Holder(port, min(each, count - first), f"127.0.0.{2 + index}")
            stack.callback(holder.close)
            holder.line()
            holders.append(holder)
        yield holders


def hold(port: int, count: int, source: str) -> None:
    file_limit()
    with WebSockets(port, source) as crowd:
        crowd.open(count)
        print("open", flush=True)
        crowd.epoll.register(0, select.EPOLLIN)
        while True:
            for number, _ in crowd.epoll.poll():
                if number:
                    crowd.read(number)
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                crowd.epoll.unregister(0)
                answer = {"times": crowd.ask(int(line)), "lost": crowd.lost}
                print(json.dumps(answer), flush=True)
                crowd.epoll.register(0, select.EPOLLIN)


if __name__ == "__main__":
    hold(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
