"""urllib, urllib3, requests and httpx over the scripted host: their exceptions and options."""

import gzip
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from doorfake import opened
from httpfake import Install, answer, broken, data, error, head, host, run

urllib3 = pytest.importorskip("urllib3")
requests = pytest.importorskip("requests")
httpx = pytest.importorskip("httpx")
from requests import exceptions as of_requests  # noqa: E402
from urllib3 import exceptions as of_urllib3  # noqa: E402

__all__ = ["host"]

URL = "https://example.com/items"
DENIED = error("denied", "allow it with --allow-http example.com")
ABSENT = error("resolve", "example.com has no address")
CLOSED = error("connect", "example.com:443 cannot be reached: Connection refused")
NO_TLS = error("connect", "the connection could not be made: invalid peer certificate")
SILENT = error("timeout", "no answer within 7 s")
GARBAGE = error("protocol", "the exchange failed: invalid HTTP")
CUT = [head(200, ("content-length", "9")), data(b"abc"), broken("protocol", "It broke off.")]
STALLED = [head(200), data(b"abc"), broken("timeout", "nothing within 7 s")]


@pytest.fixture(autouse=True)
def doors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    with opened():
        yield


@pytest.mark.parametrize(
    ("script", "inner", "outer"),
    [
        ([DENIED], of_urllib3.NewConnectionError, of_requests.ConnectionError),
        ([ABSENT], of_urllib3.NameResolutionError, of_requests.ConnectionError),
        ([CLOSED], of_urllib3.NewConnectionError, of_requests.ConnectionError),
        ([NO_TLS], of_urllib3.SSLError, of_requests.SSLError),
        ([SILENT], of_urllib3.ReadTimeoutError, of_requests.ReadTimeout),
        ([GARBAGE], of_urllib3.ProtocolError, of_requests.ConnectionError),
        (CUT, of_urllib3.ProtocolError, of_requests.ChunkedEncodingError),
        (STALLED, of_urllib3.ReadTimeoutError, of_requests.ConnectionError),
    ],
)
def test_exceptions_of_urllib3_and_requests(
    host: Install, script: Any, inner: type[Exception], outer: type[Exception]
) -> None:
    host(list(script), list(script), list(script))
    with pytest.raises(inner) as caught:
        urllib3.PoolManager().request("GET", URL, retries=False)
    assert type(caught.value) is inner
    with pytest.raises(of_urllib3.MaxRetryError) as again:
        urllib3.PoolManager().request("GET", URL, retries=0)
    assert type(again.value.reason) is inner
    with pytest.raises(outer) as told:
        requests.get(URL)
    assert type(told.value) is outer
    if script == [DENIED]:
        for one in (caught, again, told):
            assert "--allow-http example.com" in str(one.value)


@pytest.mark.parametrize("script", [DENIED, ABSENT, CLOSED, NO_TLS])
def test_urllib_says_that_there_is_no_connection(host: Install, script: Any) -> None:
    host([script])
    with pytest.raises(urllib.error.URLError) as caught:
        urllib.request.urlopen(URL)
    assert isinstance(caught.value.reason, OSError)
    if script is DENIED:
        assert "--allow-http example.com" in str(caught.value)
    if script is NO_TLS:
        assert type(caught.value.reason).__name__ == "SSLCertVerificationError"


def test_retries_and_redirects(host: Install) -> None:
    fake = host(
        [CLOSED], [SILENT], answer(503), answer(302, b"", ("location", "/there")), answer(200)
    )
    retry = urllib3.Retry(5, status_forcelist=[503], backoff_factor=0)
    got = urllib3.PoolManager().request("GET", URL, retries=retry)
    assert (got.status, got.geturl()) == (200, "/there")
    assert [exchange.head["url"] for exchange in fake.exchanges[3:]] == [
        URL,
        "https://example.com/there",
    ]


@pytest.mark.parametrize(
    ("timeout", "told"), [(7, 7), ((1, 2), 2), ((1, None), None), (None, None)]
)
def test_the_read_timeout_is_that_of_the_exchange(host: Install, timeout: Any, told: Any) -> None:
    fake = host(answer(), answer(), answer())
    session = requests.Session()
    session.get(URL, timeout=timeout)
    # Sent before the pool tells its connection how long to wait for the response.
    session.post(URL, data=iter([b"a"]), timeout=timeout)
    session.post(URL, data=b"x" * 300_000, timeout=timeout)
    assert [exchange.head["timeout"] for exchange in fake.exchanges] == [told] * 3


def test_a_total_timeout_counts(host: Install) -> None:
    fake = host(answer(), answer())
    pool = urllib3.HTTPSConnectionPool("example.com", timeout=9)
    pool.request("GET", "/")
    pool.request("GET", "/", timeout=urllib3.Timeout(total=5, read=20))
    first, second = (exchange.head["timeout"] for exchange in fake.exchanges)
    assert first == 9 and 0 < second <= 5


def test_clients_decode_once(host: Install) -> None:
    packed = answer(200, gzip.compress(b"packed"), ("content-encoding", "gzip"))
    fake = host(packed, packed, packed)
    assert requests.get(URL).content == b"packed"
    assert urllib3.PoolManager().request("GET", URL).data == b"packed"
    assert gzip.decompress(urllib.request.urlopen(URL).read()) == b"packed"
    sent = [exchange.header("accept-encoding") for exchange in fake.exchanges]
    assert sent == [requests.utils.default_headers()["accept-encoding"], "identity", "identity"]


def test_a_pool_keeps_its_connection(host: Install) -> None:
    host(answer(), answer())
    pool = urllib3.HTTPSConnectionPool("example.com")
    pool.request("GET", "/")
    pool.request("GET", "/")
    assert (pool.num_connections, pool.num_requests) == (1, 2)


def test_what_asks_for_less_is_ignored(host: Install, recwarn: pytest.WarningsRecorder) -> None:
    certifi = pytest.importorskip("certifi")
    host(*[answer()] * 7)
    for verify in (True, False, certifi.where()):
        assert requests.get(URL, verify=verify).status_code == 200
    for options in (
        {"cert_reqs": "CERT_NONE", "assert_hostname": False},
        {"ca_certs": certifi.where(), "ssl_minimum_version": 0x0303},
    ):
        assert urllib3.PoolManager(**options).request("GET", URL).status == 200
    for verify in (False, certifi.where()):
        with httpx.Client(verify=verify, limits=httpx.Limits(max_connections=1)) as client:
            assert client.get(URL).status_code == 200
    # The host verifies, so nobody has to be warned.
    assert not [one for one in recwarn if one.category.__name__ == "InsecureRequestWarning"]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"verify": "/own/authority.pem"}, "no certificates of authorities from the app"),
        ({"cert": "/own/certificate.pem"}, "no client certificate from the app"),
    ],
)
def test_what_asks_for_something_else_is_refused(
    host: Install, options: dict[str, Any], part: str
) -> None:
    host()
    with pytest.raises(ValueError, match=part):
        requests.get(URL, **options)
    for kind in (httpx.Client, httpx.AsyncClient):
        with pytest.raises(ValueError, match=part):
            kind(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"ca_certs": "/own/authority.pem"},
        {"ca_cert_dir": "/own"},
        {"ca_cert_data": "PEM"},
        {"cert_file": "/own/certificate.pem"},
        {"assert_fingerprint": "aa" * 20},
        {"assert_hostname": "other.example"},
        {"server_hostname": "other.example"},
        {"ssl_minimum_version": 0x0304},
        {"source_address": ("127.0.0.1", 0)},
    ],
)
def test_what_urllib3_refuses(host: Install, options: dict[str, Any]) -> None:
    host()
    with pytest.raises(ValueError, match=f"leave {next(iter(options))} out"):
        urllib3.PoolManager(**options).request("GET", URL)


@pytest.mark.parametrize(
    "options",
    [
        {"proxy": "http://proxy.example"},
        {"uds": "/run/a.sock"},
        {"local_address": "127.0.0.1"},
        {"http1": False},
    ],
)
def test_what_transports_of_httpx_refuse(options: dict[str, Any]) -> None:
    for kind in (httpx.HTTPTransport, httpx.AsyncHTTPTransport):
        with pytest.raises(ValueError, match=f"leave {next(iter(options))}"):
            kind(**options)


@pytest.mark.parametrize("url", ["http://example.com/", URL])
def test_proxies_are_refused(host: Install, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host()
    proxies = {"http": "http://proxy.example:3128", "https": "http://proxy.example:3128"}
    with pytest.raises(of_requests.ProxyError, match="cannot use a proxy"):
        requests.get(url, proxies=proxies)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    with pytest.raises(urllib.error.URLError, match="cannot use a proxy"):
        opener.open(url)
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    with pytest.raises(ValueError, match="the variables that name one"):
        httpx.AsyncClient()


def test_the_clients_of_httpx(host: Install) -> None:
    fake = host(answer(201, b"a"), answer(201, b"a"), [DENIED], [DENIED])

    async def asynchronous(client: Any) -> Any:
        async with client:
            return await client.get(URL, timeout=4)

    assert httpx.get(URL, timeout=4).status_code == 201
    assert run(asynchronous(httpx.AsyncClient())).status_code == 201
    assert [exchange.head["timeout"] for exchange in fake.exchanges] == [4, 4]
    with pytest.raises(httpx.ConnectError, match="--allow-http"):
        httpx.get(URL)
    transport = httpx.AsyncHTTPTransport(retries=1, http2=True)
    assert isinstance(transport, httpx.AsyncBaseTransport)
    with pytest.raises(httpx.ConnectError, match="--allow-http"):
        run(asynchronous(httpx.AsyncClient(transport=transport)))
    with httpx.HTTPTransport() as plain:
        plain.close()
