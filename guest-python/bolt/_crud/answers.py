"""What a client is told of a row that is not there, and of what the database refuses.

The host tells the same, so the sentences are part of the contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..exceptions import HTTPException, RequestValidationError
from ..sql import (
    DatabaseUnavailable,
    DataError,
    Error,
    ForeignKeyViolation,
    IntegrityError,
    LockTimeout,
    UniqueViolation,
)

__all__ = ["OUTCOMES", "REFUSED", "answering", "missing", "refused"]

TAKEN: Final = "There is such an item already"
REFERRED: Final = "It refers to an item that does not exist, or is referred to"
REFUSED: Final = "The database does not accept the item"

# Whoever handles one of them changes what a client gets.
OUTCOMES: Final[tuple[BaseException, ...]] = (
    *(HTTPException(status) for status in (404, 409, 422, 503)),
    RequestValidationError([]),
    *(kind() for kind in (Error, DatabaseUnavailable, LockTimeout, UniqueViolation, DataError)),
    # What is in the table has no form in JSON.
    TypeError(),
    ValueError(),
)
"""What a generated handler may raise."""


def missing() -> HTTPException:
    """There is no such row."""
    return HTTPException(404)


def refused() -> HTTPException:
    """The database does not take the values."""
    return HTTPException(422, REFUSED)


@contextmanager
def answering() -> Iterator[None]:
    """Answer what the database refuses.

    DatabaseUnavailable passes: it is a 503 without this, and the log says why.
    """
    try:
        yield
    except UniqueViolation as exc:
        raise HTTPException(409, TAKEN) from exc
    except ForeignKeyViolation as exc:
        raise HTTPException(409, REFERRED) from exc
    except (IntegrityError, DataError) as exc:
        raise refused() from exc
    except LockTimeout as exc:
        raise HTTPException(503) from exc
