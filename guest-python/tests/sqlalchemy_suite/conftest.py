"""SQLAlchemy's own tests of dialects, over a fake host. In an environment with SQLAlchemy 2:

    cd guest-python/tests/sqlalchemy_suite
    python -m pytest --rootdir . -c pytest.ini -p no:cacheprovider

Other runs of pytest do not collect it, because its plugin changes how all tests are collected.
"""

import sys
import tempfile
from collections import deque
from pathlib import Path

_HERE = Path(__file__).parent

if not any("pytest.ini" in argument for argument in sys.argv):
    collect_ignore_glob = ["*.py"]
else:
    sys.path[:0] = [str(_HERE), str(_HERE.parent), str(_HERE.parents[1])]

    from sqlalchemy.testing import provision
    from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: F403
    from sqlfake import SqlHost

    # It registers the dialect.
    import bolt.sqlalchemy  # noqa: F401
    from bolt import sql

    _folder = tempfile.TemporaryDirectory()
    _host = SqlHost(main=Path(_folder.name) / "main.db")
    _host.log = deque(maxlen=1)
    sql.install(_host, lambda: 1)

    @provision.generate_driver_url.for_db("bolt")
    def _url(url, driver, query_str):
        return url

    @provision.temp_table_keyword_args.for_db("bolt")
    def _temporary(cfg, eng):
        return {"prefixes": ["TEMPORARY"]}

    @provision.upsert.for_db("bolt")
    def _upsert(
        cfg,
        table,
        returning,
        *,
        set_lambda=None,
        sort_by_parameter_order=False,
        index_elements=None,
    ):
        from sqlalchemy.dialects.sqlite import insert

        made = insert(table)
        if set_lambda:
            made = made.on_conflict_do_update(set_=set_lambda(made.excluded))
        else:
            made = made.on_conflict_do_nothing()
        return made.returning(*returning, sort_by_parameter_order=sort_by_parameter_order)
