"""Django's own tests of databases, over a fake host. They are in Django's source, not in its wheel:

pip download --no-binary :all: --no-deps django && tar xzf django-*.tar.gz
python guest-python/tests/django_suite/run.py django-*/ [APP…]
"""

import functools
import runpy
import sys
import tempfile
from collections import deque
from pathlib import Path

_HERE = Path(__file__).parent


def main() -> None:
    source, *apps = sys.argv[1:]
    tests = Path(source).resolve() / "tests"
    sys.path[:0] = [str(tests), str(_HERE), str(_HERE.parent), str(_HERE.parents[1])]

    from exclusions import EXCLUSIONS
    from sqlfake import SqlHost

    from bolt import sql
    from bolt.django._features import DatabaseFeatures

    skips = DatabaseFeatures.django_test_skips.func
    ours = functools.cached_property(lambda self: skips(self) | EXCLUSIONS)
    ours.__set_name__(DatabaseFeatures, "django_test_skips")
    DatabaseFeatures.django_test_skips = ours

    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.db" for name in ("test_main", "test_other")}
        host = SqlHost(**paths)
        host.log = deque(maxlen=1)
        host.batch = 100
        sql.install(host, lambda: 1)
        sys.argv = ["runtests.py", "--settings=bolt_settings", "--parallel=1", *apps]
        runpy.run_path(str(tests / "runtests.py"), run_name="__main__")


if __name__ == "__main__":
    main()
