"""Who may do what: a login form, bearer tokens, scopes, and an API key."""

import base64
import hashlib
import hmac
import json
import os
import time
from typing import Annotated, Any

from bolt import BoltAPI, Depends, HTTPException, Request, Security, SecurityScopes, Struct
from bolt.security import APIKeyHeader, OAuth2PasswordBearer, OAuth2PasswordRequestForm

api = BoltAPI(title="Auth")
oauth = OAuth2PasswordBearer("/token", scopes={"read": "to look", "write": "to change"})
api_key = APIKeyHeader(name="X-Key")

# Drawn when the module is imported. A built app is imported once, so its interpreters have the same
# one. If the source is served, each interpreter has its own: use `run --build=first`.
SECRET = os.urandom(32)
LIFETIME = 15 * 60
# In earnest hundreds of thousands, and done by a service that is made for it.
ROUNDS = 500


class User(Struct):
    name: str
    scopes: list[str]


def scrambled(password: str, salt: bytes) -> bytes:
    """PBKDF2 by hand: the sandbox's Python comes without OpenSSL, which has the quick one."""
    digest = hmac.digest(password.encode(), salt + b"\0\0\0\1", "sha256")
    total = int.from_bytes(digest)
    for _ in range(ROUNDS - 1):
        digest = hmac.digest(password.encode(), digest, "sha256")
        total ^= int.from_bytes(digest)
    return total.to_bytes(32)


# In earnest these come from a database.
USERS = {
    "ann": (scrambled("wonder", b"salt of ann"), b"salt of ann", ["read", "write"]),
    "bob": (scrambled("builder", b"salt of bob"), b"salt of bob", ["read"]),
}


def signed(payload: bytes) -> str:
    return hmac.new(SECRET, payload, hashlib.sha256).hexdigest()


@api.post("/token")
def login(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    known, salt, scopes = USERS.get(form.username, (b"", b"", []))
    if not hmac.compare_digest(scrambled(form.password, salt), known):
        raise HTTPException(400, "Incorrect username or password")
    claims = {"sub": form.username, "scopes": scopes, "exp": int(time.time()) + LIFETIME}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode())
    return {"access_token": f"{payload.decode()}.{signed(payload)}", "token_type": "bearer"}


def current_user(
    scopes: SecurityScopes, token: Annotated[str, Depends(oauth)], request: Request
) -> User:
    challenge = {"WWW-Authenticate": f'Bearer scope="{scopes.scope_str}"'}
    payload, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signed(payload.encode()).encode(), signature.encode()):
        raise HTTPException(401, "Invalid token", challenge)
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload))
    if claims["exp"] < time.time():
        raise HTTPException(401, "The token has expired", challenge)
    if not set(scopes.scopes) <= set(claims["scopes"]):
        raise HTTPException(403, "Not enough permissions", challenge)
    request.user = User(name=claims["sub"], scopes=claims["scopes"])
    found: User = request.user
    return found


@api.get("/me")
async def me(user: Annotated[User, Security(current_user)]) -> User:
    return user


@api.post("/change")
def change(user: Annotated[User, Security(current_user, scopes=["write"])]) -> str:
    return f"changed by {user.name}"


@api.get("/greeting", dependencies=[Depends(current_user)])
async def greeting(request: Request) -> str:
    return f"hello {request.user.name}"


@api.get("/metrics")
def metrics(key: Annotated[str, Depends(api_key)]) -> dict[str, int]:
    if not hmac.compare_digest(key.encode(), b"for machines"):
        raise HTTPException(403, "Wrong key")
    return {"users": len(USERS)}
