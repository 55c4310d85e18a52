"""`Depends` and `Security`: how a signature asks for the result of another function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Dependency", "Depends", "Security", "SecurityScopes"]


@dataclass(frozen=True, slots=True, eq=False)
class Dependency:
    """The object that `Depends` or `Security` returns.

    dependency: what to call; None means the annotation of the parameter.
    use_cache: within a request, all parameters that declare the dependency share one call.
    scopes: OAuth2 scopes; only `Security` sets them.
    """

    dependency: Callable[..., Any] | None = None
    use_cache: bool = True
    scopes: tuple[str, ...] = ()


def Depends(dependency: Callable[..., Any] | None = None, *, use_cache: bool = True) -> Any:
    """Declares that a parameter is the result of `dependency`, which has parameters of its own.

    `dependency` is a function, `async` or not, a class, or a callable object. A generator function
    is resumed after the response is sent: the code after its `yield` cleans up.
    """
    return Dependency(dependency, use_cache)


def Security(
    dependency: Callable[..., Any] | None = None,
    *,
    scopes: Sequence[str] = (),
    use_cache: bool = True,
) -> Any:
    """`Depends` with OAuth2 scopes, which dependencies receive by a `SecurityScopes` parameter."""
    return Dependency(dependency, use_cache, tuple(scopes))


class SecurityScopes:
    """The scopes that the dependants of a dependency require."""

    def __init__(self, scopes: Iterable[str] = ()) -> None:
        self.scopes = list(scopes)
        self.scope_str = " ".join(self.scopes)
