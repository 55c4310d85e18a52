"""The door of requests, which sends with urllib3, but looks for certificates itself.

It refuses to send without a file of authorities. At run time the folder of an app may have no
files, and the host verifies the server.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .tls_options import check_authorities, refuse

__all__ = ["open_door"]


def open_door(adapters: ModuleType) -> None:
    """Change `requests.adapters`."""
    module: Any = adapters

    def cert_verify(self: Any, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if url.lower().startswith("https"):
            check_authorities("verify", verify)
            refuse("client certificate", "cert", cert)
            conn.cert_reqs, conn.ca_certs, conn.ca_cert_dir = "CERT_REQUIRED", None, None

    module.HTTPAdapter.cert_verify = cert_verify
