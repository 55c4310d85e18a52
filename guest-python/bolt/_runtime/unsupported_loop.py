"""`UnsupportedLoop`: the methods of an event loop that raise because the sandbox lacks something.

The sandbox has no listeners, pipes, processes and signals, and the host runs the event loop. Each
exception says what to do instead; without this module an app would see a bare
`NotImplementedError`, or a warning about a coroutine that was never awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["UnsupportedLoop", "refuse_loop"]

_SOCKETS = "the sockets of the sandbox connect to servers over TCP, and nothing else"
_PIPES = "there are no pipes in the sandbox"
_PROCESSES = "there are no processes in the sandbox"
_SIGNALS = "there are no signals in the sandbox: the host stops and starts the app"


class UnsupportedLoop(asyncio.AbstractEventLoop):
    """The methods of the event loop that are not available in the sandbox, or do nothing."""

    # The host enters the loop; all requests share it, and it never ends.

    def run_forever(self) -> NoReturn:
        refuse_loop("loop.run_forever")

    def run_until_complete(self, future: Any) -> NoReturn:
        refuse_loop("loop.run_until_complete", future)

    def stop(self) -> NoReturn:
        raise RuntimeError("the event loop cannot be stopped or closed: all requests share it")

    close = stop

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    # The sandbox has no threads, so `run_in_executor` needs no executor.

    def set_default_executor(self, executor: Any) -> None:
        """Ignore it."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Do nothing: there is none."""

    # Debug mode is not supported: it would cost a call and a stack trace for each handle.

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """Ignore it."""


def _waits(name: str, error: type[Exception], why: str) -> Callable[..., Any]:
    # As in CPython the call returns a coroutine, which raises when it is awaited.
    async def refused(self: UnsupportedLoop, *args: Any, **kwargs: Any) -> NoReturn:
        raise error(f"loop.{name}: {why}")

    return refused


def _returns(name: str, error: type[Exception], why: str) -> Callable[..., Any]:
    def refused(self: UnsupportedLoop, *args: Any, **kwargs: Any) -> NoReturn:
        raise error(f"loop.{name}: {why}")

    return refused


# A library expects OSError when it cannot connect, and NotImplementedError from a loop that lacks a
# feature: the loops of Windows raise it for signals.
_REFUSED: list[tuple[Callable[..., Any], type[Exception], str, str]] = [
    (
        _waits,
        OSError,
        _SOCKETS,
        "create_server create_unix_connection create_unix_server create_datagram_endpoint "
        "connect_accepted_socket sendfile sock_recvfrom sock_recvfrom_into sock_sendto "
        "sock_accept sock_sendfile",
    ),
    (_waits, NotImplementedError, _PIPES, "connect_read_pipe connect_write_pipe"),
    (_waits, NotImplementedError, _PROCESSES, "subprocess_exec subprocess_shell"),
    (_returns, NotImplementedError, _SIGNALS, "add_signal_handler remove_signal_handler"),
]
for _make, _error, _why, _names in _REFUSED:
    for _name in _names.split():
        setattr(UnsupportedLoop, _name, _make(_name, _error, _why))


def refuse_loop(name: str, awaitable: object = None) -> NoReturn:
    """Raise for an attempt to run a loop. Closes the coroutine, so that it does not warn."""
    if asyncio.iscoroutine(awaitable):
        awaitable.close()
    raise RuntimeError(
        f"{name} cannot be used in a handler: the host runs the event loop; "
        "make the handler `async def` and await the coroutine"
    )
