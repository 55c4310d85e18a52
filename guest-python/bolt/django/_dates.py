"""Dates, times and durations in plain SQL.

Each function takes an expression, which is its SQL and the parameters of that, and returns another
one. SQLite has dates as text, `2024-05-12 10:30:00.250000`, and durations as microseconds. Its
functions round to milliseconds, which may be the next second and so the next year: the fraction of
a second is cut off before, and put back as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["Expression", "cut", "difference", "filled", "part", "shifted", "truncated"]

Expression = tuple[str, tuple[Any, ...]]

_PARTS = {
    "year": "CAST(strftime('%%Y', {0}) AS INTEGER)",
    "quarter": "((CAST(strftime('%%m', {0}) AS INTEGER) + 2) / 3)",
    "month": "CAST(strftime('%%m', {0}) AS INTEGER)",
    "day": "CAST(strftime('%%d', {0}) AS INTEGER)",
    "hour": "CAST(strftime('%%H', {0}) AS INTEGER)",
    "minute": "CAST(strftime('%%M', {0}) AS INTEGER)",
    "second": "CAST(strftime('%%S', {0}) AS INTEGER)",
    "week_day": "(CAST(strftime('%%w', {0}) AS INTEGER) + 1)",
    "iso_week_day": "((CAST(strftime('%%w', {0}) AS INTEGER) + 6) %% 7 + 1)",
    # A week belongs to the year of its Thursday.
    "iso_year": "CAST(strftime('%%Y', {0}, '-3 days', 'weekday 4') AS INTEGER)",
    "week": "((CAST(strftime('%%j', {0}, '-3 days', 'weekday 4') AS INTEGER) + 6) / 7)",
}
_DATES = {
    "year": "date({0}, 'start of year')",
    "quarter": "date({0}, 'start of month', "
    "((1 - CAST(strftime('%%m', {0}) AS INTEGER)) %% 3) || ' months')",
    "month": "date({0}, 'start of month')",
    "week": "date({0}, '-6 days', 'weekday 1')",
    "day": "date({0})",
}
_TIMES = {"hour": "%%H:00:00", "minute": "%%H:%%M:00", "second": "%%H:%%M:%%S"}
# Microseconds from the year 0 to 1970: whatever is added to this, the sum is positive, and so is
# its remainder.
_BEFORE = 62_167_219_200


def filled(template: str, *expressions: tuple[str, Sequence[Any]]) -> Expression:
    """Put expressions into the places `{0}`, `{1}` of a template, their parameters in order."""
    sql: list[str] = []
    params: list[Any] = []
    rest = template
    while rest:
        before, brace, rest = rest.partition("{")
        sql.append(before)
        if brace:
            place, _, rest = rest.partition("}")
            text, values = expressions[int(place)]
            sql.append(text)
            params += values
    return "".join(sql), tuple(params)


def cut(value: Expression) -> Expression:
    """A date, or a date with a time, without the fraction of its second."""
    return filled("substr({0}, 1, 19)", value)


def part(name: str, value: Expression) -> Expression:
    """A number of a date without a fraction, such as its year. Raises ValueError for no part."""
    if name not in _PARTS:
        raise ValueError(f"a date has no {name!r}: it has {', '.join(_PARTS)}")
    return filled(_PARTS[name], value)


def truncated(name: str, value: Expression, kind: str) -> Expression:
    """The beginning of the year, month, hour that a date without a fraction is in.

    kind: what the result is: "date", "time" or "datetime".
    """
    template = _DATES.get(name) if kind != "time" else None
    if template is not None:
        return filled(template if kind == "date" else f"({template} || ' 00:00:00')", value)
    if name in _TIMES and kind != "date":
        day = "%%Y-%%m-%%d " if kind == "datetime" else ""
        return filled(f"strftime('{day}{_TIMES[name]}', {{0}})", value)
    raise ValueError(f"a {kind} has no beginning of its {name!r}")


def _microseconds(value: Expression, is_time: bool) -> Expression:
    """A date or time as microseconds: after 1970, or after the beginning of some day."""
    end, point = (8, 10) if is_time else (19, 21)
    return filled(
        f"(strftime('%%s', substr({{0}}, 1, {end})) * 1000000 + "
        f"CAST(substr(substr({{0}}, {point}) || '000000', 1, 6) AS INTEGER))",
        value,
    )


def difference(left: Expression, right: Expression, is_time: bool) -> Expression:
    """From the right one to the left one, in microseconds."""
    sides = _microseconds(left, is_time), _microseconds(right, is_time)
    return filled("({0} - {1})", *sides)


def shifted(value: Expression, durations: list[tuple[str, Expression]], kind: str) -> Expression:
    """A date or time plus and minus durations, each with its sign.

    kind: of the value, which stays one: "datetime", "time", or "date", whose time is written unless
        it is midnight.
    """
    terms = "".join(
        f" {sign} CAST({{{place}}} AS INTEGER)" for place, (sign, _) in enumerate(durations, 1)
    )
    sum_ = filled(
        f"({{0}}{terms} + {_BEFORE}000000)",
        _microseconds(value, kind == "time"),
        *(duration for _, duration in durations),
    )
    format_ = "%%H:%%M:%%S" if kind == "time" else "%%Y-%%m-%%d %%H:%%M:%%S"
    # Python writes no fraction if there is none, and texts are compared.
    written = filled(
        f"(strftime('{format_}', {{0}} / 1000000 - {_BEFORE}, 'unixepoch') || "
        "replace(printf('.%%06d', {0} %% 1000000), '.000000', ''))",
        sum_,
    )
    if kind != "date":
        return written
    return filled("replace(replace({0} || '|', ' 00:00:00|', ''), '|', '')", written)
