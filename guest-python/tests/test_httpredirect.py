"""Redirects."""

from typing import Any

import pytest
from httpfake import Install, answer, host, run

from bolt import http

__all__ = ["host"]

URL = "https://example.com/items"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (301, "PUT", "PUT"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
def test_redirects(host: Install, status: int, method: str, then: str) -> None:
    def scripts() -> list[Any]:
        return [answer(status, b"gone", ("Location", "../b?x=1")), answer(200, b"here")]

    fake = host(*scripts(), *scripts())
    options: Any = {"json": {"a": 1}, "follow_redirects": True, "headers": {"Authorization": "me"}}
    for got in (
        run(http.request(method, "http://a/x/y", **options)),
        http.sync.request(method, "http://a/x/y", **options),
    ):
        assert (got.content, got.url) == (b"here", "http://a/b?x=1")
        assert [(each.status_code, each.content) for each in got.history] == [(status, b"")]
    for exchange in (fake.exchanges[1], fake.exchanges[3]):
        kept = then == method
        assert exchange.head["method"] == then
        assert exchange.body == (b'{"a":1}' if kept else b"")
        assert exchange.header("content-type") == ("application/json" if kept else None)
        assert exchange.header("authorization") == "me"
        assert exchange.head["timeout"] == 30


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("https://a/", True),
        ("https://A:443/", True),
        ("http://a/", False),
        ("https://a:444/", False),
        ("//b/", False),
    ],
)
def test_secrets_stay_with_their_server(host: Install, target: str, kept: bool) -> None:
    fake = host(answer(302, b"", ("location", target)), answer())
    secrets = {"Authorization": "1", "Cookie": "2", "X-Other": "3"}
    http.sync.get("https://a/", headers=secrets, follow_redirects=True)
    second = fake.exchanges[1]
    assert (second.header("authorization"), second.header("cookie")) == (
        ("1", "2") if kept else (None, None)
    )
    assert second.header("x-other") == "3"


def test_redirects_that_are_not_followed(host: Install) -> None:
    away = answer(302, b"see", ("location", "/b"))
    host(away, answer(302, b"where"), away, answer())
    assert http.sync.get(URL).content == b"see"
    assert http.sync.get(URL, follow_redirects=True).content == b"where"
    client = http.Client(follow_redirects=True)
    assert client.get(URL, follow_redirects=False).is_redirect
    assert client.get(URL).is_success


def test_redirects_that_lead_nowhere(host: Install) -> None:
    fake = host(*[answer(302, b"", ("location", "/b"))] * 42)
    for ask in (
        lambda: run(http.get(URL, follow_redirects=True)),
        lambda: http.sync.get(URL, follow_redirects=True),
    ):
        with pytest.raises(http.TooManyRedirects, match="more than 20"):
            ask()
    assert len(fake.exchanges) == 42
    for target in ("ftp://a/", "http://[/", "http://a:x/"):
        host(answer(302, b"", ("location", target)))
        with pytest.raises(http.InvalidURL):
            http.sync.get(URL, follow_redirects=True)
    host(answer(307, b"", ("location", "/b")))
    with pytest.raises(http.StreamConsumed, match="give it as bytes"):
        http.sync.post(URL, content=iter([b"a"]), follow_redirects=True)
