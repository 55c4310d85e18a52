"""Opens the doors for a test, and a host that passes exchanges on to real servers."""

import importlib
import importlib.util
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

from httpfake import END, Exchange, FakeHost, broken, data, error, head

from bolt.http._doors.finder import DOORS, install_doors

# What the doors change.
CHANGED = (
    "http.client",
    "http.client:HTTPConnection",
    "http.client:HTTPSConnection",
    "urllib.request:AbstractHTTPHandler",
    "urllib3.connection",
    "urllib3.connection:HTTPConnection",
    "urllib3.connection:HTTPSConnection",
    "urllib3.connectionpool",
    "urllib3.connectionpool:HTTPConnectionPool",
    "requests.adapters:HTTPAdapter",
    "httpx:HTTPTransport",
    "httpx:AsyncHTTPTransport",
    "concurrent.futures.thread:ThreadPoolExecutor",
    "anyio.to_thread",
    "anyio.from_thread",
    "asgiref.sync:SyncToAsync",
    "asgiref.sync:AsyncToSync",
)


def own_module(shared: ModuleType) -> Any:
    """The same module once more: a test may change it, and others keep theirs."""
    spec = importlib.util.spec_from_file_location(shared.__name__, shared.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def opened() -> Iterator[None]:
    """All doors are open, and afterwards the clients are as before."""
    for name in DOORS:
        with suppress(ImportError):
            importlib.import_module(name)
    owners: list[Any] = []
    for path in CHANGED:
        module, _, kind = path.partition(":")
        if module in sys.modules:
            owners.append(getattr(sys.modules[module], kind) if kind else sys.modules[module])
    before = [dict(vars(owner)) for owner in owners]
    finders = list(sys.meta_path)
    install_doors()
    try:
        yield
    finally:
        sys.meta_path[:] = finders
        for owner, kept in zip(owners, before, strict=True):
            for name, value in dict(vars(owner)).items():
                if name not in kept:
                    delattr(owner, name)
                elif kept[name] is not value:
                    setattr(owner, name, kept[name])


def _unchanged_client() -> ModuleType:
    """A copy of `http.client` that no door changes."""
    spec = importlib.util.find_spec("http.client")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NATIVE: Any = _unchanged_client()


class LoopbackHost(FakeHost):
    """Sends the requests to real servers, as the host does, when the guest begins to wait."""

    def begin(self, head: str, body: str, more: bool) -> int:
        self.exchanges.append(Exchange(json.loads(head), [body], not more, []))
        return len(self.exchanges)

    def wait(self, number: int) -> None:
        self._perform(self._of(number))
        super().wait(number)

    def _happen(self, number: int) -> None:
        exchange = self.exchanges[number - 1]
        if not exchange.closed:
            self._perform(exchange)
        super()._happen(number)

    def _perform(self, exchange: Exchange) -> None:
        if exchange.complete and not exchange.response and not exchange.steps:
            exchange.steps = list(_performed(exchange))


def _performed(exchange: Exchange) -> Iterator[Any]:
    asked = exchange.head
    _, _, server, path = asked["url"].split("/", 3)
    try:
        connection = NATIVE.HTTPConnection(server, timeout=asked["timeout"])
        connection.putrequest(asked["method"], "/" + path, skip_accept_encoding=True)
        for name, value in asked["headers"]:
            if name != "content-length":
                connection.putheader(name, value)
        if exchange.body:
            connection.putheader("content-length", str(len(exchange.body)))
        connection.endheaders(exchange.body)
        response = connection.getresponse()
    except socket.gaierror as exc:
        yield error("resolve", str(exc))
        return
    except ConnectionRefusedError as exc:
        yield error("connect", f"{server} cannot be reached: {exc}")
        return
    except TimeoutError:
        yield error("timeout", "no answer in time")
        return
    except (OSError, NATIVE.HTTPException) as exc:
        yield error("protocol", repr(exc))
        return
    yield head(response.status, *((name.lower(), value) for name, value in response.getheaders()))
    try:
        left = response.length
        while part := response.read1(100):
            left = None if left is None else left - len(part)
            yield data(part)
        if left:
            raise NATIVE.IncompleteRead(b"", left)
    except TimeoutError:
        yield broken("timeout", "no further part in time")
    except (OSError, NATIVE.HTTPException) as exc:
        yield broken("protocol", repr(exc))
    else:
        yield END
    finally:
        response.close()
        connection.close()
