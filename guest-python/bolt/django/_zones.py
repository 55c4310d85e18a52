"""Time zones in plain SQL: SQLite knows none, so a statement has the rules of those it uses."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ._dates import Expression, cut, filled

__all__ = ["local"]

# As in "UTC+02:00", "-0330", and "Europe/Berlin+01".
_OFFSET = re.compile(r"(.*?)([+-])(\d\d?):?(\d\d)?")
# A zone has no two changes within this that cancel each other.
_STEP = timedelta(days=14)
_FIRST = datetime(1900, 1, 1, tzinfo=UTC)
_LAST = datetime(2100, 1, 1, tzinfo=UTC)


def local(value: Expression, name: str | None) -> Expression:
    """A date in UTC, as the time zone has it; without the fraction of its second.

    name: as Django names zones, also "UTC+02:00"; None for UTC. Raises ZoneInfoNotFoundError for a
        zone that Python does not know, which in the sandbox needs the package tzdata.

    The rules are those from 1900 to 2100; before and after that the first and the last one hold.
    """
    value = cut(value)
    rules = ("",) if name in (None, "UTC") else _rules(str(name))
    if rules == ("",):
        return value
    if len(rules) == 1:
        return filled(f"datetime({{0}}, {rules[0]})", value)
    # The subquery names the value, which the rules repeat.
    return filled(f"(SELECT datetime(v, {_choice(rules)}) FROM (SELECT {{0}} AS v))", value)


def _choice(rules: tuple[str, ...]) -> str:
    """The modifier for `v` among rules and the moments between them, which halves them each time.

    SQLite limits the depth of expressions, and takes time for each comparison.
    """
    if len(rules) == 1:
        return rules[0]
    middle = len(rules) // 4 * 2 + 1
    first, last = _choice(rules[:middle]), _choice(rules[middle + 1 :])
    return f"CASE WHEN v < {rules[middle]} THEN {first} ELSE {last} END"


@functools.lru_cache(64)
def _rules(name: str) -> tuple[str, ...]:
    """The modifiers of a zone in SQL, with the moments between them: "", or an odd number."""
    found = _OFFSET.fullmatch(name)
    try:
        zone, shift = ZoneInfo(name), timedelta()
    except (ZoneInfoNotFoundError, ValueError):
        if found is None:
            raise
        base, sign, hours, minutes = found.groups()
        shift = timedelta(hours=int(sign + hours), minutes=int(sign + (minutes or "0")))
        if base in ("", "UTC"):
            return (_modifier(shift),)
        zone = ZoneInfo(base)
    return tuple(_changes(zone, shift))


def _changes(zone: ZoneInfo, shift: timedelta) -> Iterator[str]:
    at, offset = _FIRST, _offset(zone, _FIRST)
    yield _modifier(offset + shift)
    while at < _LAST:
        after = at + _STEP
        later = _offset(zone, after)
        if later != offset:
            moment = _moment(zone, at, after)
            # Django adds the shift before it asks the zone.
            yield f"'{(moment - shift).replace(tzinfo=None).isoformat(' ')}'"
            yield _modifier(later + shift)
        at, offset = after, later


def _moment(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """When the offset changes, to the second."""
    offset = _offset(zone, before)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _modifier(offset: timedelta) -> str:
    return f"'{offset // timedelta(seconds=1):+d} seconds'"
