"""Dependencies that extract credentials from a request, such as `Depends(HTTPBearer())`."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any

from ._dependencies.depends import SecurityScopes
from ._schema.param_functions import Form
from .exceptions import HTTPException
from .requests import HTTPConnection

__all__ = [
    "APIKeyCookie",
    "APIKeyHeader",
    "APIKeyQuery",
    "HTTPAuthorizationCredentials",
    "HTTPBasic",
    "HTTPBasicCredentials",
    "HTTPBearer",
    "OAuth2PasswordBearer",
    "OAuth2PasswordRequestForm",
    "SecurityScheme",
    "SecurityScopes",
]


@dataclass(frozen=True, slots=True)
class HTTPAuthorizationCredentials:
    """scheme: as sent, "Bearer". credentials: the token."""

    scheme: str
    credentials: str


@dataclass(frozen=True, slots=True)
class HTTPBasicCredentials:
    """A user name and a password, as sent. Compare them with `secrets.compare_digest`."""

    username: str
    password: str


class SecurityScheme:
    """A dependency that extracts credentials from a request.

    scheme_name: its name in the OpenAPI description; by default that of the class.
    auto_error: respond with 401 when there are no credentials; otherwise return None.
    """

    def __init__(self, scheme_name: str | None, description: str | None, auto_error: bool) -> None:
        self.scheme_name = scheme_name or type(self).__name__
        self.description = description
        self.auto_error = auto_error

    def described(self) -> dict[str, Any]:
        """The security scheme object of OpenAPI."""
        out = self._describe()
        if self.description:
            out["description"] = self.description
        return out

    def _describe(self) -> dict[str, Any]:
        raise NotImplementedError

    def _missing(self, challenge: str, detail: str = "Not authenticated") -> None:
        if self.auto_error:
            raise HTTPException(401, detail, {"WWW-Authenticate": challenge})


def _authorization(request: HTTPConnection) -> tuple[str, str]:
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    return scheme, rest.strip()


class HTTPBearer(SecurityScheme):
    """`Authorization: Bearer TOKEN`; returns HTTPAuthorizationCredentials."""

    def __init__(
        self,
        *,
        bearerFormat: str | None = None,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(scheme_name, description, auto_error)
        self.bearer_format = bearerFormat

    def __call__(self, request: HTTPConnection) -> HTTPAuthorizationCredentials | None:
        scheme, token = _authorization(request)
        if not token or scheme.lower() != "bearer":
            self._missing("Bearer")
            return None
        return HTTPAuthorizationCredentials(scheme, token)

    def _describe(self) -> dict[str, Any]:
        out = {"type": "http", "scheme": "bearer"}
        if self.bearer_format:
            out["bearerFormat"] = self.bearer_format
        return out


class HTTPBasic(SecurityScheme):
    """`Authorization: Basic …`; returns HTTPBasicCredentials. A browser shows the user `realm`."""

    def __init__(
        self,
        *,
        scheme_name: str | None = None,
        realm: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(scheme_name, description, auto_error)
        self.challenge = f'Basic realm="{realm}"' if realm else "Basic"

    def __call__(self, request: HTTPConnection) -> HTTPBasicCredentials | None:
        scheme, encoded = _authorization(request)
        if not encoded or scheme.lower() != "basic":
            self._missing(self.challenge)
            return None
        try:
            text = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        name, colon, password = text.partition(":")
        if not colon:
            raise HTTPException(
                401, "Invalid authentication credentials", {"WWW-Authenticate": self.challenge}
            )
        return HTTPBasicCredentials(name, password)

    def _describe(self) -> dict[str, Any]:
        return {"type": "http", "scheme": "basic"}


class _APIKey(SecurityScheme):
    place = ""

    def __init__(
        self,
        *,
        name: str,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(scheme_name, description, auto_error)
        self.name = name

    def _find(self, request: HTTPConnection) -> str | None:
        raise NotImplementedError

    def __call__(self, request: HTTPConnection) -> str | None:
        key = self._find(request)
        if not key:
            self._missing("APIKey")
            return None
        return key

    def _describe(self) -> dict[str, Any]:
        return {"type": "apiKey", "in": self.place, "name": self.name}


class APIKeyHeader(_APIKey):
    """An API key in the header `name`; returns it as str."""

    place = "header"

    def _find(self, request: HTTPConnection) -> str | None:
        return request.headers.get(self.name)


class APIKeyQuery(_APIKey):
    """An API key in the query parameter `name`; returns it as str."""

    place = "query"

    def _find(self, request: HTTPConnection) -> str | None:
        return request.query_params.get(self.name)


class APIKeyCookie(_APIKey):
    """An API key in the cookie `name`; returns it as str."""

    place = "cookie"

    def _find(self, request: HTTPConnection) -> str | None:
        return request.cookies.get(self.name)


class OAuth2PasswordBearer(SecurityScheme):
    """A bearer token that clients obtain from `tokenUrl` with a password; returns it as str."""

    def __init__(
        self,
        tokenUrl: str,
        scheme_name: str | None = None,
        scopes: dict[str, str] | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(scheme_name, description, auto_error)
        self.token_url = tokenUrl
        self.scopes = dict(scopes or {})

    def __call__(self, request: HTTPConnection) -> str | None:
        scheme, token = _authorization(request)
        if not token or scheme.lower() != "bearer":
            self._missing("Bearer")
            return None
        return token

    def _describe(self) -> dict[str, Any]:
        flow = {"tokenUrl": self.token_url, "scopes": self.scopes}
        return {"type": "oauth2", "flows": {"password": flow}}


class OAuth2PasswordRequestForm:
    """The form of an OAuth2 password login, as a dependency: `Annotated[…, Depends()]`."""

    def __init__(
        self,
        username: Annotated[str, Form()],
        password: Annotated[str, Form()],
        grant_type: Annotated[str | None, Form(pattern="^password$")] = None,
        scope: Annotated[str, Form()] = "",
        client_id: Annotated[str | None, Form()] = None,
        client_secret: Annotated[str | None, Form()] = None,
    ) -> None:
        self.grant_type = grant_type
        self.username = username
        self.password = password
        self.scopes = scope.split()
        self.client_id = client_id
        self.client_secret = client_secret
