"""Cookies and headers of responses: no value becomes another attribute or another header."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bolt import FileResponse, Response
from bolt._datastructures.headers import header_list

MOMENT = "Wed, 21 Oct 2015 07:28:00 GMT"


def cookie(**options: Any) -> str:
    response = Response()
    response.set_cookie(**{"key": "k", **options})
    return response.header_pairs()[0][1]


# What Starlette writes for the same arguments.
@pytest.mark.parametrize(
    ("options", "attributes"),
    [
        ({"path": "/a,b"}, ["Path=/a,b"]),
        ({"path": ""}, []),
        ({"domain": ""}, ["Path=/"]),
        ({"domain": "shop.example"}, ["Domain=shop.example", "Path=/"]),
        ({"domain": "\xe9.example"}, ["Domain=\xe9.example", "Path=/"]),
        ({"expires": MOMENT}, ["Expires=" + MOMENT, "Path=/"]),
        ({"expires": datetime(2015, 10, 21, 7, 28, tzinfo=UTC)}, ["Expires=" + MOMENT, "Path=/"]),
        ({"max_age": 5, "secure": True}, ["Max-Age=5", "Path=/", "Secure"]),
    ],
)
def test_attributes(options: dict[str, Any], attributes: list[str]) -> None:
    name, *found = cookie(**options).split("; ")
    assert name == 'k=""'
    assert sorted(found) == sorted([*attributes, "SameSite=lax"])


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("a;b", '"a\\073b"'),
        ("a\r\nb", '"a\\015\\012b"'),
        ("\xe9", '"\\351"'),
    ],
)
def test_a_value_is_quoted_or_refused(value: str, sent: str) -> None:
    try:
        assert cookie(value=value) == f"k={sent}; Path=/; SameSite=lax"
    except ValueError:
        # Newer versions of http.cookies refuse control characters.
        assert not value.isprintable()


@pytest.mark.parametrize("attribute", ["path", "domain", "expires"])
@pytest.mark.parametrize(
    "value",
    ["a;Domain=evil", "a; HttpOnly", ";", "a\r\nX-Other: y", "a\nb", "a\0", "a\x7f", "\u20ac"],
)
def test_no_attribute_begins_another_one(attribute: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"attribute '{attribute}' of a cookie"):
        cookie(**{attribute: value})
    if attribute != "expires":
        with pytest.raises(ValueError, match=f"attribute '{attribute}' of a cookie"):
            Response().delete_cookie("k", **{attribute: value})


@pytest.mark.parametrize(
    "options",
    [
        {"key": "a;b"},
        {"key": ""},
        {"key": "a=b"},
        {"key": "\xe9"},
        {"key": "Path"},
        {"samesite": "lax; Domain=evil"},
        {"max_age": "1; Domain=evil"},
        {"expires": 10**12},
    ],
)
def test_other_parts_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        cookie(**options)


def test_headers_hold_no_control_characters() -> None:
    for number in range(256):
        value = f"a{chr(number)}b"
        if number == 9 or (number >= 32 and number != 127):
            assert header_list({"x-a": value}) == [("x-a", value)]
        else:
            with pytest.raises(ValueError, match="'x-a'"):
                header_list({"x-a": value})
    with pytest.raises(ValueError, match="latin-1"):
        Response(headers={"x-a": "\u20ac"})


def test_a_disposition_is_one_word() -> None:
    kind: Any = "attachment; filename=evil"
    with pytest.raises(ValueError, match="disposition"):
        FileResponse("a", filename="b", content_disposition_type=kind)
    found = FileResponse("a", filename="b", content_disposition_type="inline")
    assert found.headers["content-disposition"] == 'inline; filename="b"'
