"""Server-sent events: their wire form, which is FastAPI's, and what they refuse."""

import json
from typing import Any

import pytest

from bolt.sse import EventSourceResponse, ServerSentEvent, format_sse_event


@pytest.mark.parametrize(
    ("fields", "wire"),
    [
        ({}, "\n"),
        ({"data": "x"}, 'data: "x"\n\n'),
        ({"raw_data": "x"}, "data: x\n\n"),
        ({"data": ""}, 'data: ""\n\n'),
        ({"raw_data": ""}, "data: \n\n"),
        ({"data": "a\nb"}, 'data: "a\\nb"\n\n'),
        ({"raw_data": "a\nb\r\nc\rd\n"}, "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        # Not with FastAPI's spaces and escapes.
        ({"data": {"a": [1, None, "ä"]}}, 'data: {"a":[1,null,"ä"]}\n\n'),
        ({"data": False}, "data: false\n\n"),
        ({"data": 0}, "data: 0\n\n"),
        ({"data": 1, "event": "e"}, "event: e\ndata: 1\n\n"),
        ({"event": "e"}, "event: e\n\n"),
        ({"event": ""}, "event: \n\n"),
        ({"event": "a\0b"}, "event: a\0b\n\n"),
        ({"id": ""}, "id: \n\n"),
        ({"id": "5", "retry": 0}, "id: 5\nretry: 0\n\n"),
        ({"comment": ""}, ": \n\n"),
        ({"comment": "a\nb"}, ": a\n: b\n\n"),
        ({"raw_data": "a\u2028b\x0bc"}, "data: a\u2028b\x0bc\n\n"),
        ({"raw_data": " lead"}, "data:  lead\n\n"),
        ({"data": None, "raw_data": "x"}, "data: x\n\n"),
        (
            {"comment": "c", "event": "e", "raw_data": "d", "id": "i", "retry": 3},
            ": c\nevent: e\ndata: d\nid: i\nretry: 3\n\n",
        ),
    ],
)
def test_the_wire_form_of_events(fields: dict[str, Any], wire: str):
    assert ServerSentEvent(**fields).encode() == wire


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"data": 1, "raw_data": "x"}, "not both"),
        ({"event": "a\nb"}, "the event of an event is a single line"),
        ({"event": "a\rb"}, "single line"),
        ({"id": "a\nb"}, "the id of an event is a single line"),
        ({"id": "a\0b"}, "no null character"),
        ({"retry": -1}, "a number from 0 on"),
        ({"retry": 1.5}, "a number from 0 on"),
        ({"event": 5}, "the event of an event is text"),
        ({"id": 5}, "the id of an event is text"),
        ({"raw_data": 5}, "the raw_data of an event is text"),
        ({"comment": 5}, "the comment of an event is text"),
    ],
)
def test_invalid_events(fields: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        ServerSentEvent(**fields)


def test_data_without_a_json_form():
    with pytest.raises(TypeError, match="cannot turn object into JSON: item"):
        ServerSentEvent(data=object()).encode()
    with pytest.raises(ValueError, match="JSON compliant"):
        ServerSentEvent(data=float("nan")).encode()


def test_events_of_fields_that_are_ready():
    assert format_sse_event(data_str=json.dumps("ä"), id="1") == b'data: "\\u00e4"\nid: 1\n\n'


def test_what_the_host_is_told_has_bounds():
    for ping in (0.5, 0, -1, float("nan"), 1e9):
        with pytest.raises(ValueError, match="86400 seconds"):
            EventSourceResponse([], ping=ping)
    assert EventSourceResponse([], last={"a": 1}).last == b'data: {"a":1}\n\n'
    with pytest.raises(ValueError, match="the last event has 65545 bytes"):
        EventSourceResponse([], last=ServerSentEvent(raw_data="x" * 65537))
