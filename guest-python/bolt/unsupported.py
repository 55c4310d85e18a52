"""What asyncio offers and the sandbox has not: each refusal is a sentence that says what to do.

There are no sockets, pipes, processes and signals inside, and the host runs the event loop. Without
this module an app would meet a bare `NotImplementedError`, or a warning about a coroutine that was
never awaited.
"""

from __future__ import annotations

import asyncio
from asyncio import events, runners
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["Unsupported", "refuse_runners"]

_SOCKETS = "there are no sockets in the sandbox: use bolt.http for requests to other servers"
_NAMES = "there is no name resolution in the sandbox: give bolt.http the address with its name"
_FILES = "there are no file descriptors to wait for in the sandbox"
_PIPES = "there are no pipes in the sandbox"
_PROCESSES = "there are no processes in the sandbox"
_SIGNALS = "there are no signals in the sandbox: the host stops and starts the app"


class Unsupported(asyncio.AbstractEventLoop):
    """What an event loop of the sandbox refuses to do, or has no need to do."""

    # It is entered by the host, belongs to all requests and never ends.

    def run_forever(self) -> NoReturn:
        _refuse_loop("loop.run_forever")

    def run_until_complete(self, future: Any) -> NoReturn:
        _refuse_loop("loop.run_until_complete", future)

    def stop(self) -> NoReturn:
        raise RuntimeError("the event loop cannot be stopped or closed: all requests share it")

    close = stop

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    # No threads: `run_in_executor` needs no executor.

    def set_default_executor(self, executor: Any) -> None:
        """Not used, whatever it is."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none to shut down."""

    # Debug mode costs each handle a call and a stack; it is not offered.

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """Stays off."""


def _waits(name: str, error: type[Exception], why: str) -> Callable[..., Any]:
    # As in CPython the call itself is well, and the await raises.
    async def refused(self: Unsupported, *args: Any, **kwargs: Any) -> NoReturn:
        raise error(f"loop.{name}: {why}")

    return refused


def _returns(name: str, error: type[Exception], why: str) -> Callable[..., Any]:
    def refused(self: Unsupported, *args: Any, **kwargs: Any) -> NoReturn:
        raise error(f"loop.{name}: {why}")

    return refused


# OSError is what a library expects when it cannot connect; NotImplementedError is what it expects
# from a loop that cannot do such a thing at all, as that of Windows cannot handle signals.
_REFUSED: list[tuple[Callable[..., Any], type[Exception], str, str]] = [
    (
        _waits,
        OSError,
        _SOCKETS,
        "create_connection create_server create_unix_connection create_unix_server "
        "create_datagram_endpoint connect_accepted_socket start_tls sendfile sock_recv "
        "sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall sock_sendto sock_connect "
        "sock_accept sock_sendfile",
    ),
    (_waits, OSError, _NAMES, "getaddrinfo getnameinfo"),
    (_waits, NotImplementedError, _PIPES, "connect_read_pipe connect_write_pipe"),
    (_waits, NotImplementedError, _PROCESSES, "subprocess_exec subprocess_shell"),
    (_returns, NotImplementedError, _FILES, "add_reader remove_reader add_writer remove_writer"),
    (_returns, NotImplementedError, _SIGNALS, "add_signal_handler remove_signal_handler"),
]
for _make, _error, _why, _names in _REFUSED:
    for _name in _names.split():
        setattr(Unsupported, _name, _make(_name, _error, _why))


# Loops beside the host's.


def _refuse_loop(name: str, awaitable: object = None) -> NoReturn:
    """Refuse to run a loop. The coroutine is closed: it will not be awaited, and must not warn."""
    if asyncio.iscoroutine(awaitable):
        awaitable.close()
    raise RuntimeError(
        f"{name} cannot be used in a handler: the host runs the event loop; "
        "make the handler `async def` and await the coroutine"
    )


def refuse_runners() -> None:
    """Let `asyncio.run`, `asyncio.Runner` and `asyncio.new_event_loop` raise the sentence.

    An app may have imported the functions by name. So it is the policy that refuses a new loop, and
    the module's own `run` is replaced early, before the app is imported.
    """
    asyncio.run = runners.run = _run
    asyncio.Runner.run = _runner_run  # type: ignore[method-assign]
    # Python 3.14 warns of the public name.
    policy: Any = getattr(events, "_get_event_loop_policy", events.get_event_loop_policy)()
    policy.new_event_loop = _new_event_loop


def _run(main: object, **options: object) -> NoReturn:
    _refuse_loop("asyncio.run", main)


def _runner_run(self: asyncio.Runner, coro: object, **options: object) -> NoReturn:
    _refuse_loop("asyncio.Runner", coro)


def _new_event_loop() -> NoReturn:
    # Here and not in `run_until_complete`: the coroutine for it does not exist yet.
    _refuse_loop("an event loop of its own")
