"""The tests themselves; see conftest.py."""

import pytest

pytest.importorskip("sqlalchemy")

from sqlalchemy.testing.suite import *  # noqa: F403
