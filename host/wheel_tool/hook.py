"""Calls one hook of a package's build backend (PEP 517); it runs in that package's environment.

It is run as a program with a JSON object: the backend, its path, the hook, the hook's arguments,
and a file for the result.
"""

import importlib
import json
import sys
from functools import reduce
from typing import Any


def main(request: dict[str, Any]) -> None:
    sys.path[:0] = request["path"]
    module, _, attribute = request["backend"].partition(":")
    backend = reduce(getattr, filter(None, attribute.split(".")), importlib.import_module(module))
    hook = getattr(backend, request["hook"], None)
    # The one optional hook that is asked for lists requirements.
    result = [] if hook is None else hook(*request["arguments"])
    with open(request["result"], "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
