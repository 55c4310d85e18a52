"""The functions of `bolt.http` for `def` handlers: `http.sync.get(url)` and so on.

Each blocks the interpreter until the response arrives; see `Client`.
"""

from __future__ import annotations

from ._client import Client

__all__ = ["delete", "get", "head", "options", "patch", "post", "proxy", "put", "request", "stream"]

_client = Client()

request = _client.request
stream = _client.stream
proxy = _client.proxy
get = _client.get
options = _client.options
head = _client.head
post = _client.post
put = _client.put
patch = _client.patch
delete = _client.delete
