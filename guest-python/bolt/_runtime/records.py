"""`Record`: what an app passes to `logging`, in the form that the host takes.

The host gets one text: the mark, a line of JSON (`{"level", "logger", "extra"}`), the message and,
after another mark, a traceback. It logs them as the fields of one line of its log, and cuts the
text where a printed line would be cut. So this module makes the parts that fit.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from typing import Any

from .tracebacks import app_traceback

__all__ = ["MARK", "MOST", "Record", "record_of", "shortened"]

MARK = "\x1e"
MOST = 4000
"""Most bytes of a text that the host does not cut: 4 KiB, and some room."""

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"))
# The host shows the level, so a name is only of use if it says more.
_KNOWN_NAMES = frozenset({"ERROR", "WARNING", "INFO", "DEBUG"})
# Formats that have nothing that the host does not show anyway, in all styles of `Formatter`.
_PLAIN_FORMATS = frozenset(
    {
        "%(message)s",
        "{message}",
        "${message}",
        logging.BASIC_FORMAT,
        "{levelname}:{name}:{message}",
        "${levelname}:${name}:${message}",
    }
)
_OWN_ATTRIBUTES = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "exc_text"}
)
_MOST_FIELDS = 32
_MOST_FIELD_BYTES = 500
_MOST_HEAD_BYTES = 1500
_MOST_NAME = 100


@dataclass(frozen=True, slots=True)
class Record:
    """A record. level: "error", "warn", "info" or "debug". extra: JSON values by name."""

    level: str
    logger: str
    message: str
    extra: dict[str, Any]
    traceback: str = ""

    def for_host(self) -> str:
        """The text that the host takes apart."""
        head: dict[str, Any] = {"level": self.level, "logger": self.logger[:_MOST_NAME]}
        extra, left_out = _fitting(self.extra)
        if left_out:
            head["left_out"] = left_out
        if extra:
            head["extra"] = extra
        first = MARK + json.dumps(head, separators=(",", ":")) + "\n"
        room = MOST - len(first)
        message = _unmarked(self.message)
        if not self.traceback:
            return first + message
        message = shortened(message, room // 2)
        traceback = shortened(_unmarked(self.traceback), room - _size(message))
        return first + message + MARK + traceback

    def for_people(self) -> str:
        """The same as lines, for the output of a build."""
        fields = "".join(f" {name}={json.dumps(value)}" for name, value in self.extra.items())
        end = f"\n{self.traceback}" if self.traceback else ""
        return f"{self.level.upper()} {self.logger}: {self.message}{fields}{end}"


def record_of(record: logging.LogRecord, handler: logging.Handler | None = None) -> Record:
    """A record of `logging`. handler: its format counts, unless it is the default one."""
    message, has_traceback = _formatted(record, handler)
    parts = []
    if not has_traceback:
        if record.exc_info and record.exc_info[1] is not None:
            parts.append(app_traceback(record.exc_info[1]).rstrip())
        elif record.exc_text:
            parts.append(record.exc_text)
        if record.stack_info:
            parts.append(record.stack_info)
    level = next((name for least, name in _LEVELS if record.levelno >= least), "debug")
    extra = {
        str(name): _json_value(value)
        for name, value in vars(record).items()
        if name not in _OWN_ATTRIBUTES
    }
    if record.levelname not in _KNOWN_NAMES:
        extra["levelname"] = record.levelname
    return Record(level, record.name, message, extra, "\n".join(parts))


def _formatted(record: logging.LogRecord, handler: logging.Handler | None) -> tuple[str, bool]:
    """The message, and whether it has the traceback in it."""
    formatter = None if handler is None else handler.formatter
    if handler is not None and type(handler).format is not logging.Handler.format:
        return handler.format(record), True
    if formatter is None:
        return record.getMessage(), False
    if type(formatter) is not logging.Formatter:
        return formatter.format(record), True
    if formatter._fmt in _PLAIN_FORMATS:
        return record.getMessage(), False
    record.message = record.getMessage()
    if formatter.usesTime():
        record.asctime = formatter.formatTime(record, formatter.datefmt)
    return formatter.formatMessage(record), False


def _json_value(value: Any) -> Any:
    """A value of `extra` as JSON, of bounded size; as text if it is none or too large."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, (dict, list, tuple)):
        try:
            text = json.dumps(value, allow_nan=False, default=str)
            if len(text) <= _MOST_FIELD_BYTES:
                return json.loads(text)
        except (TypeError, ValueError, RecursionError):
            text = repr(value)
        return shortened(text, _MOST_FIELD_BYTES)
    return shortened(str(value), _MOST_FIELD_BYTES)


def _fitting(extra: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The first fields that fit into a record, and how many do not."""
    found: dict[str, Any] = {}
    room = _MOST_HEAD_BYTES
    for name, value in extra.items():
        # As ASCII, which is how they are sent.
        size = len(json.dumps({name[:_MOST_NAME]: value}))
        if len(found) == _MOST_FIELDS or size > room:
            continue
        found[name[:_MOST_NAME]] = value
        room -= size
    return found, len(extra) - len(found)


def _unmarked(text: str) -> str:
    return text.replace(MARK, "\\x1e")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))


def shortened(text: str, most: int) -> str:
    """A text of at most so many bytes: what is too much is left out in the middle.

    A traceback says at its end what went wrong, and at its beginning where.
    """
    if len(text) <= most // 4 or _size(text) <= most:
        return text
    data = text.encode("utf-8", "backslashreplace")
    mark = "\n... (a part is left out) ...\n" if "\n" in text else "..."
    room = max(0, most - len(mark))
    head = data[: room // 3].decode("utf-8", "ignore")
    tail = data[len(data) - (room - room // 3) :].decode("utf-8", "ignore")
    if "\n" in head and "\n" in tail:
        head, tail = head.rpartition("\n")[0], tail.partition("\n")[2]
    return head + mark + tail
