"""Warms what checks and encodes models of pydantic and msgspec, on models of its own.

Those of the app may have validators and serialisers, which are its code. An app without these
packages has nothing to warm.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

from .._adapters.registry import adapter_for, dump_of
from .._errors import ValidatorError
from .._serialization.result_shape import Shape

__all__ = ["warm_up_models"]

_TIMES = 50
_FITS = {"name": "sample", "count": 1, "tags": ["sample"]}
_DOES_NOT = {"name": 1, "count": "sample"}


def _models() -> Iterator[Any]:
    pydantic: Any = sys.modules.get("pydantic")
    if hasattr(pydantic, "create_model"):
        yield pydantic.create_model("Sample", name=(str, ...), count=(int, 1), tags=(list[str], []))
    msgspec: Any = sys.modules.get("msgspec")
    if hasattr(msgspec, "defstruct"):
        fields: list[Any] = [("name", str), ("count", int, 1), ("tags", list[str], [])]
        yield msgspec.defstruct("Sample", fields)


def warm_up_models() -> None:
    """Check and encode samples fifty times."""
    for model in _models():
        # It imports the module that tells errors and instances without a declared type.
        dump = dump_of(model)
        several: Any = types.GenericAlias(list, (model,))
        for annotation in (model, several):
            adapter = adapter_for(annotation)
            if adapter is None or dump is None:
                continue
            fits: Any = _FITS if annotation is model else [_FITS]
            convert, check = adapter.converter(), adapter.checker()
            to_json, to_plain = adapter.dumpers(Shape())
            for _ in range(_TIMES):
                made = check(convert(fits))
                to_json(made)
                to_plain(made)
                dump(made if annotation is model else made[0])
                try:
                    convert(_DOES_NOT)
                except ValidatorError:
                    adapter.errors(_DOES_NOT)
