"""A database backend of Django over the databases of the host, for `def` handlers.

    DATABASES = {"default": {"ENGINE": "bolt.django", "NAME": "main"}}

`NAME` is the name that the operator grants. Of `OPTIONS` there is `transaction_mode`: "IMMEDIATE"
for transactions that wait for other writers when they begin, instead of raising OperationalError
when another one has written since they began to read.

It is Django's backend for SQLite without the functions of Python that the latter adds to SQLite:
what they do is plain SQL here, and NotSupportedError where there is none. Those are `regex` and
`iregex`, the hashes, StdDev and Variance over a window, and time zones for a database with a
`TIME_ZONE` of its own.
"""

from __future__ import annotations

__all__ = ()
