"""Django's own tests of databases, over a fake host. They are in Django's source, not in its wheel:

    pip download --no-binary :all: --no-deps django && tar xzf django-*.tar.gz
    python guest-python/tests/django_suite/run.py django-*/ [APP…]

It needs an environment with Django of that version and tblib. Without names it runs the apps below;
`exclusions.py` has what is left out of them.
"""

import functools
import runpy
import sys
import tempfile
from collections import deque
from pathlib import Path

_HERE = Path(__file__).parent
# What has to do with databases.
_APPS = """
    aggregation aggregation_regress annotations async backends basic bulk_create composite_pk
    constraints custom_lookups dates datetimes db_functions db_utils defer delete
    distinct_on_fields expressions expressions_case expressions_window extra_regress fixtures
    foreign_object get_or_create indexes inspectdb introspection lookup m2m_through
    many_to_many many_to_one migration_test_data_persistence migrations model_fields
    null_queries one_to_one or_lookups ordering prefetch_related queries raw_query schema
    select_for_update select_related timezones transaction_hooks transactions unmanaged_models
    update
"""


def main() -> None:
    source, *apps = sys.argv[1:]
    tests = Path(source).resolve() / "tests"
    sys.path[:0] = [str(tests), str(_HERE), str(_HERE.parent), str(_HERE.parents[1])]

    import django
    from exclusions import EXCLUSIONS, SINCE_6
    from sqlfake import SqlHost

    from bolt import sql
    from bolt.django._features import DatabaseFeatures

    ours = EXCLUSIONS | (SINCE_6 if django.VERSION >= (6,) else {})
    skips = DatabaseFeatures.django_test_skips.func
    DatabaseFeatures.django_test_skips = functools.cached_property(lambda self: skips(self) | ours)
    DatabaseFeatures.django_test_skips.__set_name__(DatabaseFeatures, "django_test_skips")

    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.db" for name in ("test_main", "test_other")}
        host = SqlHost(**paths)
        host.log = deque(maxlen=1)
        host.batch = 100
        sql.install(host, lambda: 1)
        if all(name.startswith("-") for name in apps):
            apps += [app for app in _APPS.split() if (tests / app).is_dir()]
        sys.argv = ["runtests.py", "--settings=bolt_settings", "--parallel=1", *apps]
        runpy.run_path(str(tests / "runtests.py"), run_name="__main__")


if __name__ == "__main__":
    main()
