"""Parts of queries in plain SQL, where Django needs functions of Python or more depth."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from ._dates import Expression, filled, shifted

__all__ = ["writer"]

_db: Any = importlib.import_module("django.db")
_models: Any = importlib.import_module("django.db.models")
_expressions: Any = importlib.import_module("django.db.models.expressions")
_functions: Any = importlib.import_module("django.db.models.functions")
_tuples: Any = importlib.import_module("django.db.models.fields.tuple_lookups")
_exceptions: Any = importlib.import_module("django.core.exceptions")

Writer = Callable[[Any, Any, Any], Expression]
_TEMPORAL = {"DateField": "date", "DateTimeField": "datetime", "TimeField": "time"}
_HASHES = ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")
# Aggregates; not in all versions of Django.
_BITS = ("BitAnd", "BitOr", "BitXor")

# `{0}` is the first argument. A text is repeated in the place of each zero byte.
_REPEATED = "replace(hex(zeroblob({1})), '00', {0})"
_PADDING = "replace(hex(zeroblob({1})), '00', {2})"
_TEMPLATES = {
    "Cot": "(1.0 / TAN({0}))",
    "LPad": "CASE WHEN length({0}) >= {1} THEN substr({0}, 1, {1}) "
    f"ELSE substr({_PADDING}, 1, {{1}} - length({{0}})) || {{0}} END",
    # 53 bits, as many as a float has.
    "Random": "((RANDOM() & 9007199254740991) / 9007199254740992.0)",
    "Repeat": f"CASE WHEN {{1}} IS NULL THEN NULL ELSE {_REPEATED} END",
    "Reverse": "(WITH RECURSIVE steps (place, text) AS (SELECT length({0}), '' UNION ALL "
    "SELECT place - 1, text || substr({0}, place, 1) FROM steps WHERE place > 0) "
    "SELECT text FROM steps WHERE place = 0)",
    "RPad": f"substr({{0}} || {_PADDING}, 1, {{1}})",
    # Version 4 and variant 1 of RFC 9562.
    "UUID4": "lower(substr(hex(randomblob(6)), 1, 12) || '4' || substr(hex(randomblob(2)), 2) || "
    "substr('89AB', 1 + (RANDOM() & 3), 1) || substr(hex(randomblob(8)), 2))",
}


def _arguments(node: Any, compiler: Any) -> list[Expression]:
    sources = node.get_source_expressions()
    return [compiler.compile(source) for source in sources if source is not None]


def _kind(side: Any) -> str:
    try:
        return str(side.output_field.get_internal_type())
    except (AttributeError, _exceptions.FieldError):
        return ""


def _number(node: Any, made: Expression) -> Expression:
    """Decimals are arguments as text, which is larger than all numbers, but not than a NUMERIC."""
    return filled("(CAST({0} AS NUMERIC))", made) if _kind(node) == "DecimalField" else made


def _of_template(template: str) -> Writer:
    def write(node: Any, compiler: Any, connection: Any) -> Expression:
        return _number(node, filled(template, *_arguments(node, compiler)))

    return write


def _refused(node: Any, compiler: Any, connection: Any) -> Expression:
    raise _db.NotSupportedError(f"the SQLite of the host has no function for {type(node).__name__}")


def _any_value(node: Any, compiler: Any, connection: Any) -> Expression:
    found: Expression = node.as_sql(compiler, connection, function="MIN")
    return found


def _combined(node: Any, compiler: Any, connection: Any) -> Expression:
    if node.connector != node.BITXOR:
        found: Expression = node.as_sqlite(compiler, connection)
        return found
    return filled("(({0} | {1}) - ({0} & {1}))", *_arguments(node, compiler))


def _shift(node: Any) -> tuple[Any, str, Any] | None:
    """A date or time, a sign and a duration, if the node is their sum."""
    if not isinstance(node, _expressions.DurationExpression) or node.connector not in "+-":
        return None
    left, right = node.get_source_expressions()
    is_left, is_right = (_kind(side) in _TEMPORAL for side in (left, right))
    if is_left == is_right or (is_right and node.connector == "-"):
        return None
    return (left, node.connector, right) if is_left else (right, "+", left)


def _duration(node: Any, compiler: Any, connection: Any) -> Expression:
    durations, value = [], node
    # One sum of all: it repeats the value, and sums within sums would repeat each other.
    while (shift := _shift(value)) is not None:
        value, sign, duration = shift
        durations.append((sign, compiler.compile(duration)))
    if not durations:
        found: Expression = node.as_sqlite(compiler, connection)
        return found
    return shifted(compiler.compile(value), durations, _TEMPORAL[_kind(value)])


def _variance(node: Any, compiler: Any, connection: Any) -> Expression:
    """From sums, so it loses digits if the values are large and close to each other."""
    connection.ops.check_expression_support(node)
    value = _models.Func(
        node.get_source_expressions()[0],
        template="(1.0 * %(expressions)s)",
        output_field=_models.FloatField(),
    )
    parts = []
    for made in (_models.Sum(value * value), _models.Sum(value), _models.Count(value)):
        made.filter = node.filter
        parts.append(compiler.compile(made))
    divisor = "({2} - 1)" if node.function.endswith("_SAMP") else "{2}"
    # Rounding could make it negative.
    template = f"MAX(0.0, ({{0}} - {{1}} * {{1}} / {{2}}) / {divisor})"
    if node.function.startswith("STDDEV"):
        template = f"SQRT({template})"
    return _number(node, filled(template, *parts))


def _tuple_in(node: Any, compiler: Any, connection: Any) -> Expression:
    """Several columns among rows of values: Django has a chain of OR, whose depth has a limit."""
    if not node.rhs_is_direct_value():
        found: Expression = node.as_sql(compiler, connection)
        return found
    columns = list(node.lhs)
    # NULL equals nothing.
    rows = [row for row in node.rhs if all(value is not None for value in row)]
    if not rows:
        raise _exceptions.EmptyResultSet
    made = [columns, *([_value(*pair) for pair in zip(columns, row, strict=True)] for row in rows)]
    tuples = [_tuple([compiler.compile(one) for one in row]) for row in made]
    left, *right = (sql for sql, _ in tuples)
    params = tuple(value for _, values in tuples for value in values)
    return f"{left} IN (VALUES {', '.join(right)})", params


def _tuple(expressions: list[Expression]) -> Expression:
    places = ", ".join(f"{{{place}}}" for place in range(len(expressions)))
    return filled(f"({places})", *expressions)


def _value(column: Any, value: Any) -> Any:
    if hasattr(value, "as_sql"):
        return value
    return _models.Value(value, output_field=column.output_field)


def _window(node: Any, compiler: Any, connection: Any) -> Expression:
    if isinstance(node.source_expression, (_models.StdDev, _models.Variance)):
        name = type(node.source_expression).__name__
        raise _db.NotSupportedError(f"the SQLite of the host has no {name} over a window")
    found: Expression = node.as_sqlite(compiler, connection)
    return found


def _writers() -> dict[type, Writer]:
    found: dict[type, Writer] = {
        _expressions.CombinedExpression: _combined,
        _expressions.DurationExpression: _duration,
        _models.StdDev: _variance,
        _models.Variance: _variance,
        _models.Window: _window,
        _tuples.TupleIn: _tuple_in,
    }
    for name, template in _TEMPLATES.items():
        # Some are not in all versions of Django.
        if (kind := getattr(_functions, name, None)) is not None:
            found[kind] = _of_template(template)
    for name in _HASHES:
        found[getattr(_functions, name)] = _refused
    for name in _BITS:
        if (kind := getattr(_models, name, None)) is not None:
            found[kind] = _refused
    if (kind := getattr(_models, "AnyValue", None)) is not None:
        found[kind] = _any_value
    return found


_BY_TYPE = _writers()


@functools.cache
def writer(kind: type) -> Writer | None:
    """What writes the SQL of such a node, None if it does so itself.

    A subclass that an app has given its own SQL keeps it.
    """
    for base in kind.__mro__:
        if base in _BY_TYPE:
            return _BY_TYPE[base]
        if "as_sqlite" in vars(base) or "as_sql" in vars(base):
            return None
    return None
